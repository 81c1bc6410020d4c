"""The built-in components, registered in the same way as those of third parties."""

from __future__ import annotations

from s5lib.plugins.spec import Capabilities, ComponentSpec

_PAPER = "B. T. Nguyen et al., Class-aware permutation-invariant SDR, arXiv 2601.22504, 2026"
_M2D = "D. Niizumi et al., Masked Modeling Duo: Towards a universal audio pre-training framework, IEEE/ACM TASLP, 2024"
_BASELINE = "B. T. Nguyen et al., Baseline systems and evaluation metrics for S5, EUSIPCO 2025"


def s5lib_taggers() -> list[ComponentSpec]:
    """The built-in taggers."""
    return [
        ComponentSpec(
            name="m2d",
            target="s5lib.models.m2d:M2DTagger",
            config="s5lib.models.configs:M2DConfig",
            summary="M2D vision transformer on every channel, track-wise head",
            citation=f"{_M2D}; {_PAPER}",
        ),
        ComponentSpec(
            name="resnet",
            target="s5lib.models.resnet:ResNetTagger",
            config="s5lib.models.configs:ResNetConfig",
            summary="residual convolutions on the log-mel spectrograms of all channels, track-wise head",
            citation="K. He et al., Deep residual learning for image recognition, CVPR 2016",
        ),
    ]


def s5lib_separators() -> list[ComponentSpec]:
    """The built-in separators."""
    return [
        ComponentSpec(
            name="resunetk",
            target="s5lib.models.resunetk:ResUNetK",
            config="s5lib.models.configs:ResUNetKConfig",
            summary="residual U-Net on magnitudes, queried by all labels at once",
            citation=f"{_BASELINE}; {_PAPER}",
        ),
        ComponentSpec(
            name="spatial_unet",
            target="s5lib.models.spatial_unet:SpatialUNet",
            config="s5lib.models.configs:SpatialUNetConfig",
            summary="resunetk that also sees phases between channels, on patches of bins; independent of level",
            citation=f"{_BASELINE}; {_PAPER}",
        ),
        ComponentSpec(
            name="resunet",
            target="s5lib.models.resunet:ResUNet",
            config="s5lib.models.configs:ResUNetConfig",
            capabilities=Capabilities(duplicate_labels=False),
            summary="residual U-Net on magnitudes, queried by one label at a time",
            citation="Q. Kong et al., Universal source separation with weakly labelled data, arXiv 2305.07447, 2023",
        ),
        ComponentSpec(
            name="locoformer",
            target="s5lib.models.locoformer:Locoformer",
            config="s5lib.models.configs:LocoformerConfig",
            summary="TF-Locoformer on bands of the spectrum, queried by prompts",
            citation="K. Saijo et al., TF-Locoformer, IWAENC 2024; K. Saijo et al., Task-aware unified source "
            "separation, ICASSP 2025",
        ),
    ]


def s5lib_joint_models() -> list[ComponentSpec]:
    """The built-in joint models."""
    return [
        ComponentSpec(
            name="resunet_joint",
            target="s5lib.models.joint:ResUNetJoint",
            config="s5lib.models.configs:ResUNetJointConfig",
            summary="residual U-Net on magnitudes without a query, a label read off each slot",
            citation="D. Yu et al., Permutation invariant training of deep models, ICASSP 2017",
        )
    ]


def s5lib_aligners() -> list[ComponentSpec]:
    """The built-in aligners."""
    return [
        ComponentSpec(
            name="ca_pi",
            target="s5lib.align:ClassAwarePermutationInvariant",
            summary="the best permutation inside each class (CA-PI-SDR)",
            citation=_PAPER,
        ),
        ComponentSpec(
            name="ca",
            target="s5lib.align:ClassAware",
            capabilities=Capabilities(optimal=False),
            summary="by label alone; a random or the given order inside a class (CA-SDR)",
            citation=_BASELINE,
        ),
        ComponentSpec(
            name="pi",
            target="s5lib.align:PermutationInvariant",
            capabilities=Capabilities(within_class=False),
            summary="the best permutation of all, whatever the labels (PI-SDR, PIT)",
            citation="D. Yu et al., Permutation invariant training of deep models, ICASSP 2017",
        ),
    ]
