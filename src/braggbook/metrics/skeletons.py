"""Centre lines of masks, for tube-like structures such as vessels.

Conventions are those of :mod:`braggbook.metrics.masks`; a skeleton is a mask too, inside the one that it is of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from braggbook.metrics.masks import Mask


def skeleton(mask: Mask) -> Mask:
    """Returns the centre line of a mask, one voxel wide, whatever the voxels' size.

    scikit-image's ``skeletonize``: Zhang and Suen, Commun. ACM 27, 236 (1984), doi:10.1145/357994.358023, for (y, x);
    Lee, Kashyap and Chu, CVGIP 56, 462 (1994), doi:10.1006/cgip.1994.1042, for (z, y, x). The latter thins some solid
    bodies (a cube of four voxels a side) to nothing. Here no part may vanish: a connected part of the mask (neighbours
    across faces, edges and corners) without a voxel of the skeleton is in it as a whole.
    """
    from skimage import morphology  # noqa: PLC0415 - slow to import, and for one metric only

    skeletonize: Any = morphology.skeletonize  # it has no types
    thin: Mask = np.asarray(skeletonize(mask), np.bool_) & mask
    parts, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    kept = np.zeros(count + 1, np.bool_)
    kept[parts[thin]] = True
    whole: Mask = thin | ~kept[parts] & mask
    return whole


def centreline_dice(reference: Mask, estimate: Mask) -> float:
    """Returns clDice: the harmonic mean of the parts of either skeleton that lie in the other mask.

    Source: Shit et al., CVPR 2021, 16560, doi:10.1109/CVPR46437.2021.01629, equations 1 and 2.

    Args:
        reference: Not empty.
        estimate: Not empty.
    """
    ours, theirs = skeleton(reference), skeleton(estimate)
    sensitivity = np.count_nonzero(ours & estimate) / np.count_nonzero(ours)
    precision = np.count_nonzero(theirs & reference) / np.count_nonzero(theirs)
    both = precision + sensitivity
    return 2 * precision * sensitivity / both if both else 0.0
