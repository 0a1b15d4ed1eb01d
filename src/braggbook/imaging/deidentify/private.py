"""Private elements that are known to be safe (PS3.15, table E.3.10-1, and the vendors' own conformance statements).

Each is named by its creator, group and element; its value must have the form that is stated. Everything else private
goes.
"""

from __future__ import annotations

# creator, group, last byte of the element -> VR
SAFE: dict[tuple[str, int, int], str] = {
    ("Philips PET Private Group", 0x7053, 0x00): "DS",  # SUV scale factor
    ("Philips PET Private Group", 0x7053, 0x09): "DS",  # activity concentration scale factor
    ("GEMS_PETD_01", 0x0009, 0x0D): "DT",  # scan date and time: the reference of GE's decay correction
    ("GEMS_PETD_01", 0x0009, 0x3B): "DT",  # administration of the tracer
    ("GEMS_PETD_01", 0x0009, 0x39): "DT",  # measurement of the tracer
    ("GEMS_PETD_01", 0x0009, 0x38): "FL",  # activity before administration
    ("GEMS_PETD_01", 0x0009, 0x3F): "FL",  # half-life of the radionuclide
    ("SIEMENS MR HEADER", 0x0019, 0x0A): "US",  # images in a mosaic
    ("SIEMENS MR HEADER", 0x0019, 0x0B): "DS",  # duration of a slice
    ("SIEMENS MR HEADER", 0x0019, 0x0C): "IS",  # b value
    ("SIEMENS MR HEADER", 0x0019, 0x0E): "FD",  # direction of the diffusion gradient
    ("SIEMENS MR HEADER", 0x0019, 0x27): "FD",  # b matrix
    ("SIEMENS MR HEADER", 0x0019, 0x28): "FD",  # bandwidth per pixel in the phase-encoding direction
    ("SIEMENS MR HEADER", 0x0019, 0x29): "FD",  # times of a mosaic's slices
    ("Philips Imaging DD 001", 0x2001, 0x03): "FL",  # b factor
    ("Philips Imaging DD 001", 0x2001, 0x08): "IS",  # phase number
    ("Philips Imaging DD 001", 0x2001, 0x0A): "IS",  # slice number
    ("Philips MR Imaging DD 001", 0x2005, 0x0D): "FL",  # scale intercept
    ("Philips MR Imaging DD 001", 0x2005, 0x0E): "FL",  # scale slope
    ("Philips MR Imaging DD 001", 0x2005, 0xB0): "FL",  # diffusion direction
    ("Philips MR Imaging DD 001", 0x2005, 0xB1): "FL",
    ("Philips MR Imaging DD 001", 0x2005, 0xB2): "FL",
    ("GEMS_ACQU_01", 0x0019, 0x23): "DS",  # table speed
    ("GEMS_ACQU_01", 0x0019, 0x24): "DS",  # mid scan time
    ("GEMS_ACQU_01", 0x0019, 0x27): "DS",  # rotation speed
    ("GEMS_ACQU_01", 0x0019, 0xBB): "DS",  # diffusion direction
    ("GEMS_ACQU_01", 0x0019, 0xBC): "DS",
    ("GEMS_ACQU_01", 0x0019, 0xBD): "DS",
    ("GEMS_PARM_01", 0x0043, 0x39): "IS",  # b value and its scale
    ("ELSCINT1", 0x00E1, 0x21): "DS",  # dose-length product
    ("ELSCINT1", 0x01E1, 0x50): "DS",
    ("ELSCINT1", 0x01F1, 0x26): "DS",  # pitch
    ("ELSCINT1", 0x01F1, 0x27): "DS",  # rotation time
}
