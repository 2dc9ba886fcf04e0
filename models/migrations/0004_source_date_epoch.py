from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0003_edits_and_titles')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Build',
            name='source_date_epoch',
            field=fields.BigIntField(null=True),
        ),
    ]
