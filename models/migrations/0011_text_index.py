from tortoise import migrations
from tortoise.migrations import operations as ops

from models import text_index


class Migration(migrations.Migration):
    dependencies = [("models", "0010_traceparent")]

    initial = False

    operations = [
        ops.RunPython(text_index.make),
    ]
