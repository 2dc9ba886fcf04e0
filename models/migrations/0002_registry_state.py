from tortoise import migrations
from tortoise.migrations import operations as ops
import functools
from json import dumps, loads
from models.enums import RegistryState
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('models', '0001_initial')]

    initial = False

    operations = [
        ops.AddField(
            model_name='Image',
            name='checked_at',
            field=fields.DatetimeField(null=True, auto_now=False, auto_now_add=False),
        ),
        ops.AddField(
            model_name='Image',
            name='details',
            field=fields.JSONField(null=True, encoder=functools.partial(dumps, separators=(',', ':')), decoder=loads),
        ),
        ops.AddField(
            model_name='Image',
            name='registry_digest',
            field=fields.CharField(null=True, max_length=100),
        ),
        ops.AddField(
            model_name='Image',
            name='registry_state',
            field=fields.CharEnumField(default=RegistryState.UNCHECKED, description='RegistryState', db_default='UNCHECKED', enum_type=RegistryState, max_length=16),
        ),
    ]
