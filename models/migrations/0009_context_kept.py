from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0008_image_changes')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Build',
            name='context_kept',
            field=fields.BooleanField(default=True, db_default=True),
        ),
    ]
