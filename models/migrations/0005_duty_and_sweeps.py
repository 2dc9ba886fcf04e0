from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('models', '0004_source_date_epoch')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Duty',
            fields=[
                ('name', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('worker', fields.CharField(null=True, max_length=255)),
                ('until', fields.DatetimeField(null=True, auto_now=False, auto_now_add=False)),
            ],
            options={'table': 'duty', 'app': 'models', 'pk_attr': 'name', 'table_description': 'A task of the system by its name, and who has it until when.'},
            bases=['Model'],
        ),
        ops.AddIndex(
            model_name='Build',
            index=Index(fields=['status', 'log_key'], name='build_unarchived'),
        ),
        ops.AddIndex(
            model_name='Build',
            index=Index(fields=['finished_at'], name='build_finished'),
        ),
    ]
