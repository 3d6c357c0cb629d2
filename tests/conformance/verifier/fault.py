"""The first thing wrong with a bundle: a stable code and the path of the field."""


class Fault(Exception):
    """Why a bundle is not believed."""

    def __init__(self, code, field, detail=""):
        super().__init__(f"{code} {field}: {detail}")
        self.code, self.field, self.detail = code, field, detail


def of_format(error, path):
    """A fault of encoding at `path`; the field that the decoder names is added to it."""
    field = path
    if error.field is not None:
        first, dot, inner = error.field.partition(".")
        if dot and first == "bundle":
            field = inner
        elif dot and path != "bundle":
            # The decoder's first word is the message, which the path already names.
            field = f"{path}.{inner}"
        else:
            field = error.field
    return Fault("E_FORMAT", field, str(error))
