from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0002_registry_state')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ImageEdit',
            fields=[
                ('id', fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ('image', fields.ForeignKeyField('models.Image', source_field='image_id', db_constraint=True, to_field='id', related_name='edits', on_delete=OnDelete.CASCADE)),
                ('edited_by', fields.CharField(max_length=255)),
                ('edited_at', fields.DatetimeField(auto_now=False, auto_now_add=False)),
                ('changes', fields.JSONField(encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads)),
            ],
            options={'table': 'image_edit', 'app': 'models', 'indexes': [Index(fields=['image_id', 'id'], name='image_edit_image')], 'pk_attr': 'id', 'table_description': 'One edit. It is never changed, and goes with its image.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='TagCategory',
            name='title_chinese',
            field=fields.CharField(null=True, max_length=128),
        ),
    ]
