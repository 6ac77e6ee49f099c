"""lava-dl's slayer where it is installed; its object detection, which needs OpenCV, is left out."""

import sys
from importlib.util import find_spec
from types import ModuleType

import pytest

if find_spec("lava") is None:
    pytest.skip("lava-dl is not installed", allow_module_level=True)
if find_spec("cv2") is None or find_spec("torchvision") is None:
    name = "lava.lib.dl.slayer.object_detection"
    sys.modules[name] = ModuleType(name)

from lava.lib.dl import slayer

__all__ = ["slayer"]
