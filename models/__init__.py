"""What is on record. Tortoise models; each change of a build's state is one conditional UPDATE."""

from models.build import RUNNING, Build, BuildStep, LogChunk
from models.change import ChangeClock, ImageChange
from models.duty import Duty
from models.edit import Change, ImageEdit
from models.image import Image, ImageTag, Tag, TagCategory

__all__ = [
    "RUNNING",
    "Build",
    "BuildStep",
    "Change",
    "ChangeClock",
    "Duty",
    "Image",
    "ImageChange",
    "ImageEdit",
    "ImageTag",
    "LogChunk",
    "Tag",
    "TagCategory",
]
