"""Volumes on disk: our Zarr store, OME-Zarr, NIfTI, and the manifests that say whether a folder is still what it was.

What is public, and where it is:

- :mod:`~braggbook.imaging.store.zarr_store`: ``write_volume``, ``read_volume``, ``verify_volume``
- :mod:`~braggbook.imaging.store.manifest`: ``make_manifest``, ``write_manifest``, ``read_manifest``,
  ``verify_manifest``
- :mod:`~braggbook.imaging.store.digest`: ``digest``
- :mod:`~braggbook.imaging.store.ome`: ``write_ome``; :mod:`~braggbook.imaging.store.ome_read`: ``read_ome``
- :mod:`~braggbook.imaging.store.nifti`: ``write_nifti``; :mod:`~braggbook.imaging.store.nifti_read`: ``read_nifti``

Nothing is imported here: who reads a store needs no NIfTI library.
"""
