"""De-identification of DICOM (PS3.15, annex E): what may stay is listed, everything else goes, the result is searched.

Public: :func:`deidentify`, :func:`make_options`, :class:`Options`, :class:`Region`, :class:`Deidentified`,
:func:`write_reports`.
"""

from __future__ import annotations

from braggbook.imaging.deidentify.options import OPTIONS, Options, Region, make_options
from braggbook.imaging.deidentify.report import write_reports
from braggbook.imaging.deidentify.run import Deidentified, deidentify

__all__ = ["OPTIONS", "Deidentified", "Options", "Region", "deidentify", "make_options", "write_reports"]
