"""The systems by name. Their files import what they need only when they are started, so that all of
them can be read without any of them installed."""

from on_dask import Dask
from on_gearman import Gearman
from on_hyperqueue import HyperQueue
from on_nats import NATS, JetStream
from on_ray import Ray
from on_weft import Weft

CLASSES = {"weft": Weft, "gearman": Gearman, "nats": NATS, "jetstream": JetStream, "ray": Ray,
           "dask": Dask, "hyperqueue": HyperQueue}
NAMES = list(CLASSES)


def make(name, folder, scratch, weft):
    return CLASSES[name](folder, scratch, weft)
