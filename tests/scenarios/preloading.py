"""Libraries that stand between purser and the system: made from a C file, loaded before others."""

import os
import subprocess


def library_of(source, library):
    """Makes the library of that path; returns it."""
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", library, source,
                    "-ldl"], check=True)
    return library


def preload(library, **more):
    """The environment of a process that it is loaded into."""
    # ASan wants to be first in the list of libraries; this one may stand before it.
    return {"LD_PRELOAD": str(library), "ASAN_OPTIONS": "verify_asan_link_order=0", **more}
