from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0005_duty_and_sweeps')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Build',
            name='may_replace',
            field=fields.BooleanField(default=False, db_default=False),
        ),
    ]
