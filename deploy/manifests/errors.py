"""What stops the check, as opposed to what it finds: one sentence with a remedy."""


class ManifestsError(Exception):
    """A tool is missing, or kustomize refuses a folder."""
