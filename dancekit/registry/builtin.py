"""The table of built-in components: kind, name, lazy target. The only place that lists them."""

from __future__ import annotations

BUILTIN: dict[str, dict[str, str]] = {
    "pose": {
        "blazepose": "dancekit.pose.blazepose:BlazePose",
        "blazepose_holistic": "dancekit.pose.blazepose_holistic:BlazePoseHolistic",
        "rtmlib": "dancekit.pose.rtmlib:RTMLib",
    },
    "filter": {
        "savgol": "dancekit.filters.savgol:SavitzkyGolay",
        "fill_gaps": "dancekit.filters.gaps:FillGaps",
        "median": "dancekit.filters.median:Median",
        "window_mean": "dancekit.filters.window_mean:WindowMean",
        "one_euro": "dancekit.filters.one_euro:OneEuro",
        "outliers": "dancekit.filters.outliers:Outliers",
    },
    "normalizer": {
        "identity": "dancekit.normalizers.identity:Identity",
        "global_linear": "dancekit.normalizers.global_linear:GlobalLinear",
        "bones": "dancekit.normalizers.bones:Bones",
        "affine": "dancekit.normalizers.affine:Affine",
        "relative": "dancekit.normalizers.relative:Relative",
    },
    "renderer": {
        "sticks": "dancekit.renderers.sticks:Sticks",
        "limbs": "dancekit.renderers.limbs:Limbs",
        "heatmaps": "dancekit.renderers.heatmaps:Heatmaps",
        "edn_sticks": "dancekit.renderers.edn_sticks:EDNSticks",
    },
    "generator": {
        "pix2pixhd": "dancekit.generators.pix2pixhd:Pix2PixHD",
        "pix2pixhd_local": "dancekit.generators.pix2pixhd_local:Pix2PixHDLocal",
        "resnet": "dancekit.generators.resnet:ResNet",
        "unet": "dancekit.generators.unet:UNet",
        "timm_unet": "dancekit.generators.timm_unet:TimmUNet",
    },
    "discriminator": {
        "multiscale": "dancekit.discriminators.multiscale:MultiscaleDiscriminator",
        "patch": "dancekit.discriminators.patch:PatchDiscriminator",
        "pixel": "dancekit.discriminators.pixel:PixelDiscriminator",
        "none": "dancekit.discriminators.none:NoDiscriminator",
    },
    "loss": {
        "lsgan": "dancekit.losses.adversarial:LSGAN",
        "feature_matching": "dancekit.losses.feature_matching:FeatureMatching",
        "vanilla": "dancekit.losses.adversarial:Vanilla",
        "wgan_gp": "dancekit.losses.adversarial:WGANGP",
        "l1": "dancekit.losses.reconstruction:L1",
        "perceptual": "dancekit.losses.perceptual:Perceptual",
        "pose_consistency": "dancekit.losses.pose_consistency:PoseConsistency",
    },
    "background": {
        "painted": "dancekit.backgrounds.painted:Painted",
        "plate": "dancekit.backgrounds.plate:Plate",
    },
    "temporal": {
        "single": "dancekit.temporal.single:Single",
        "previous_frame": "dancekit.temporal.previous_frame:PreviousFrame",
    },
    "face": {
        "none": "dancekit.faces.none:NoFace",
        "residual": "dancekit.faces.residual:ResidualFace",
        "edn": "dancekit.faces.edn:EDNFace",
    },
    "augmentation": {
        "flip": "dancekit.augmentations.geometry:Flip",
        "affine": "dancekit.augmentations.geometry:Affine",
        "colour": "dancekit.augmentations.photometric:Colour",
        "drop_limbs": "dancekit.augmentations.keypoints:DropLimbs",
    },
    "metric": {
        "l1": "dancekit.metrics.image:L1",
        "psnr": "dancekit.metrics.image:PSNR",
        "ssim": "dancekit.metrics.structure:SSIM",
        "ms_ssim": "dancekit.metrics.structure:MSSSIM",
        "sharpness": "dancekit.metrics.image:Sharpness",
        "lpips": "dancekit.metrics.lpips:LPIPS",
        "fid": "dancekit.metrics.fid:FID",
        "warping_error": "dancekit.metrics.warping:WarpingError",
        "frame_difference": "dancekit.metrics.temporal:FrameDifference",
        "flicker": "dancekit.metrics.temporal:Flicker",
        "freeze": "dancekit.metrics.temporal:Freeze",
        "drift": "dancekit.metrics.temporal:Drift",
        "pose_distance": "dancekit.metrics.pose:PoseDistance",
        "akd": "dancekit.metrics.pose:AverageKeypointDistance",
        "pck": "dancekit.metrics.pose:PCK",
        "missed_joints": "dancekit.metrics.pose:MissedJoints",
        "swaps": "dancekit.metrics.pose:Swaps",
        "foot_skating": "dancekit.metrics.motion:FootSkating",
        "accents": "dancekit.metrics.motion:Accents",
    },
}
