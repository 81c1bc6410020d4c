"""s5lib: spatial semantic segmentation of sound scenes (S5).

From a multichannel recording to its single sources, each with a class label, also where several sources share a
class.  The parts, in the order in which data flows through them::

    scenes -> data -> models -> systems -> align -> metrics -> report

``import s5lib`` loads neither torch nor any model; what is asked for is imported when it is asked for.
"""

__version__ = "0.1.0"

__all__ = ["__version__", "load_system"]


def __getattr__(name):
    if name == "load_system":
        from s5lib.systems import load_system

        return load_system
    raise AttributeError(f"module 's5lib' has no attribute {name!r}")
