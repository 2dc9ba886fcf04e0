from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0009_context_kept')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Build',
            name='traceparent',
            field=fields.CharField(null=True, max_length=55),
        ),
    ]
