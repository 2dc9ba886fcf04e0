from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

from models import triggers

class Migration(migrations.Migration):
    dependencies = [('models', '0007_saved_container')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ChangeClock',
            fields=[
                ('id', fields.IntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ('number', fields.BigIntField()),
            ],
            options={'table': 'change_clock', 'app': 'models', 'pk_attr': 'id', 'table_description': 'One row: the number of the last change.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ImageChange',
            fields=[
                ('image_id', fields.BigIntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ('number', fields.BigIntField()),
            ],
            options={'table': 'image_change', 'app': 'models', 'indexes': [Index(fields=['number'], name='image_change_number')], 'pk_attr': 'image_id', 'table_description': 'The last change of an image, also of one that is gone, in what it can be found by.'},
            bases=['Model'],
        ),
        ops.RunPython(triggers.make),
    ]
