"""Making an image again, from the record of one of its builds."""

from engine import schedule, tracing
from engine.builds import enqueue, follow
from engine.clock import now
from engine.errors import FieldProblem, InvalidInput
from engine.push_policy import Author
from engine.services import Services
from models import Build, Duty, Image
from models.database import transaction
from models.enums import BuildStatus, Origin

_BUILT = (Origin.GIT, Origin.DOCKERFILE, Origin.UPLOAD)
_SAVED = (Origin.TRAINING_TASK, Origin.CONTAINER)
_NOT_AGAIN = (
    "A saved container cannot be made again from its record, which does not hold what its "
    "processes did. While the same container runs, save it again with `pinned: false`."
)


async def rebuild(
    services: Services, image: Image, original: Build | None, *, pinned: bool, by: Author
) -> Build:
    """Queue another build of an image.

    Pinned, it repeats the original's context, commit and base digests; else it takes today's.
    Raises InvalidInput when there is no such record.
    """
    if image.origin in _SAVED and pinned:
        raise InvalidInput([FieldProblem("pinned", _NOT_AGAIN)])
    if image.origin not in (*_BUILT, *_SAVED):
        raise _unusable("It was not built here, so there is nothing to build again.")
    if original is None:
        original = await Build.filter(image_id=image.id).order_by("-number").first()
    if original is None or original.image_id != image.id:
        raise _unusable("This build is one of another image. Name one of this image's builds.")
    if pinned and not original.context_digest:
        raise _unusable(
            f"Build {original.number} ended before its inputs were on record. Name another build, "
            "or take today's inputs with `pinned: false`."
        )
    await schedule.require_room(services.settings, by.name)
    build = await transaction(lambda: _write(image, original, pinned, by))
    await follow(services, build)
    await enqueue(services, build)
    return build


async def _write(image: Image, original: Build, pinned: bool, by: Author) -> Build:
    # Written first, so that two rebuilds at once count one after the other.
    await Image.filter(id=image.id).update(updated_at=now())
    # Housekeeping removes no context meanwhile.
    await Duty.lock("contexts")
    await original.refresh_from_db(["context_kept"])
    if not original.context_kept and (pinned or image.origin is Origin.UPLOAD):
        raise _unusable(
            f"What build {original.number} was made from is not kept any more. Name another build."
        )
    newest = await Build.filter(image_id=image.id).order_by("-number").first()
    build = Build(
        image_id=image.id,
        number=newest.number + 1 if newest else 1,
        status=BuildStatus.QUEUED,
        created_by=by.name,
        created_as=by.record,
        created_at=now(),
        rebuild_of_id=original.id,
        pinned=pinned,
        upload_key=original.upload_key,
        may_replace=original.may_replace,
        traceparent=tracing.traceparent(),
    )
    if pinned:
        build.context_digest = original.context_digest
        build.context_size = original.context_size
        build.dockerfile = original.dockerfile
        build.dockerfile_path = original.dockerfile_path
        build.commit = original.commit
        build.bases = original.bases
        build.source_date_epoch = original.source_date_epoch
    await build.save()
    return build


def _unusable(why: str) -> InvalidInput:
    return InvalidInput([FieldProblem("build", why)])
