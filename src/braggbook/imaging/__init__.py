"""Medical images: from DICOM to volumes, masks, dose, histograms, gamma and quality, in patient coordinates."""
