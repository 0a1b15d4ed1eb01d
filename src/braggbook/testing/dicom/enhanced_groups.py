"""Elements that an enhanced CT or MR image must have and that say nothing about its geometry (PS3.3 A.36, A.38)."""

from __future__ import annotations

from typing import Any

from braggbook.testing.dicom.common import DATE, TIME, code, item, make_uid

MOMENT = f"{DATE}{TIME}.000"
_FRAME_TYPE = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
_COMMON: dict[str, Any] = {
    "AcquisitionDate": ...,
    "AcquisitionTime": ...,
    "AcquisitionDateTime": MOMENT,
    "AcquisitionDuration": 1000.0,
    "AcquisitionContextSequence": [],
    "ContentQualification": "RESEARCH",
    "BurnedInAnnotation": "NO",
    "LossyImageCompression": "00",
    "PresentationLUTShape": "IDENTITY",
    "PixelPresentation": "MONOCHROME",
    "VolumetricProperties": "VOLUME",
    "VolumeBasedCalculationTechnique": "NONE",
    "ImageType": _FRAME_TYPE,
    "PatientPosition": "HFS",
    "AcquisitionNumber": "1",
}


def image_tags(modality: str) -> dict[str, Any]:
    """Returns the elements of the whole image."""
    return {**_COMMON, **(_MR if modality == "MR" else {})}


def shared_groups(modality: str, *, seed: int, spacing_mm: tuple[float, float]) -> dict[str, Any]:
    """Returns shared functional groups by keyword, new ones at each call; the spacing is of rows and columns."""
    region = code("51185008", "SCT", "Chest")
    anatomy = item(AnatomicRegionSequence=[region], FrameLaterality="U")
    return {"FrameAnatomySequence": [anatomy], **(_mr_groups() if modality == "MR" else _ct_groups(seed, spacing_mm))}


def frame_groups(modality: str) -> dict[str, Any]:
    """Returns functional groups that every frame has of its own, new ones at each call."""
    kind = {
        "FrameType": _FRAME_TYPE,
        "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME",
        "VolumeBasedCalculationTechnique": "NONE",
    }
    if modality == "CT":
        return {"CTImageFrameTypeSequence": [item(**kind)]}
    return {
        "MRImageFrameTypeSequence": [item(**kind, ComplexImageComponent="MAGNITUDE", AcquisitionContrast="UNKNOWN")]
    }


def _ct_groups(seed: int, spacing_mm: tuple[float, float]) -> dict[str, Any]:
    zero = [0.0, 0.0, 0.0]
    event = make_uid(seed, "irradiation event", 1)
    return {
        "IrradiationEventIdentificationSequence": [item(IrradiationEventUID=event)],
        "CTAcquisitionTypeSequence": [item(AcquisitionType="SPIRAL", ConstantVolumeFlag="NO", FluoroscopyFlag="NO")],
        "CTAcquisitionDetailsSequence": [
            item(
                RotationDirection="CW",
                RevolutionTime=1.0,
                SingleCollimationWidth=1.0,
                TotalCollimationWidth=10.0,
                TableHeight=100.0,
                GantryDetectorTilt=0.0,
                DataCollectionDiameter=500.0,
            )
        ],
        "CTTableDynamicsSequence": [item(TableSpeed=10.0, TableFeedPerRotation=10.0, SpiralPitchFactor=1.0)],
        "CTPositionSequence": [
            item(TablePosition=0.0, DataCollectionCenterPatient=zero, ReconstructionTargetCenterPatient=zero)
        ],
        "CTGeometrySequence": [item(DistanceSourceToDetector=1000.0, DistanceSourceToDataCollectionCenter=600.0)],
        "CTReconstructionSequence": [
            item(
                ReconstructionAlgorithm="FILTER_BACK_PROJ",
                ConvolutionKernel="GENERATED",
                ConvolutionKernelGroup="SOFT_TISSUE",
                ReconstructionFieldOfView=[300.0, 300.0],
                ReconstructionPixelSpacing=list(spacing_mm),
                ReconstructionAngle=360.0,
                ImageFilter="NONE",
            )
        ],
        "CTExposureSequence": [
            item(
                ExposureTimeInms=1000.0,
                XRayTubeCurrentInmA=100.0,
                ExposureInmAs=100.0,
                ExposureModulationType="NONE",
            )
        ],
        "CTXRayDetailsSequence": [item(KVP="120", FocalSpots=[1.0], FilterType="FLAT", FilterMaterial="ALUMINUM")],
    }


_MR: dict[str, Any] = {
    "ResonantNucleus": "1H",
    "KSpaceFiltering": "NONE",
    "MagneticFieldStrength": 1.5,
    "ApplicableSafetyStandardAgency": "IEC",
    "ComplexImageComponent": "MAGNITUDE",
    "AcquisitionContrast": "UNKNOWN",
    "PulseSequenceName": "GENERATED",
    "MRAcquisitionType": "2D",
    "EchoPulseSequence": "SPIN",
    "MultipleSpinEcho": "NO",
    "MultiPlanarExcitation": "NO",
    "PhaseContrast": "NO",
    "TimeOfFlightContrast": "NO",
    "SteadyStatePulseSequence": "NONE",
    "EchoPlanarPulseSequence": "NO",
    "SaturationRecovery": "NO",
    "SpectrallySelectedSuppression": "NONE",
    "OversamplingPhase": "NONE",
    "GeometryOfKSpaceTraversal": "RECTILINEAR",
    "RectilinearPhaseEncodeReordering": "LINEAR",
    "SegmentedKSpaceTraversal": "SINGLE",
    "NumberOfKSpaceTrajectories": 1,
}


def _mr_groups() -> dict[str, Any]:
    absorption = item(SpecificAbsorptionRateDefinition="IEC_WHOLE_BODY", SpecificAbsorptionRateValue=0.1)
    return {
        "MRTimingAndRelatedParametersSequence": [
            item(
                RepetitionTime="500",
                FlipAngle="90",
                EchoTrainLength="1",
                RFEchoTrainLength=1,
                GradientEchoTrainLength=0,
                SpecificAbsorptionRateSequence=[absorption],
                OperatingModeSequence=[item(OperatingModeType="GRADIENT", OperatingMode="IEC_NORMAL")],
                GradientOutputType="DB_DT",
                GradientOutput=1.0,
            )
        ],
        "MRFOVGeometrySequence": [
            item(
                InPlanePhaseEncodingDirection="ROW",
                MRAcquisitionFrequencyEncodingSteps=128,
                MRAcquisitionPhaseEncodingStepsInPlane=128,
                PercentSampling="100",
                PercentPhaseFieldOfView="100",
            )
        ],
        "MREchoSequence": [item(EffectiveEchoTime=12.0)],
        "MRAveragesSequence": [item(NumberOfAverages="1")],
        "MRImagingModifierSequence": [
            item(
                MagnetizationTransfer="NONE",
                BloodSignalNulling="NO",
                Tagging="NONE",
                TransmitterFrequency=63.9,
                PixelBandwidth="200",
            )
        ],
        "MRModifierSequence": [
            item(
                InversionRecovery="NO",
                FlowCompensation="NONE",
                Spoiling="NONE",
                T2Preparation="NO",
                SpectrallySelectedExcitation="NONE",
                SpatialPresaturation="NONE",
                PartialFourier="NO",
                ParallelAcquisition="NO",
            )
        ],
        "MRReceiveCoilSequence": [
            item(
                ReceiveCoilName="BODY",
                ReceiveCoilManufacturerName="",
                ReceiveCoilType="BODY",
                QuadratureReceiveCoil="YES",
            )
        ],
        "MRTransmitCoilSequence": [
            item(TransmitCoilName="BODY", TransmitCoilManufacturerName="", TransmitCoilType="BODY")
        ],
    }
