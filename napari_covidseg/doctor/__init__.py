"""What is wrong with this input, said plainly, and the reversible fix.

`examine` looks and changes nothing; `apply_fix` does one fix that a person chose, and the
mask made of the fixed study still goes back onto the grid of the file. Research use only.
"""

from napari_covidseg.doctor.finding import Finding, Severity
from napari_covidseg.doctor.fixes import apply_fix
from napari_covidseg.doctor.looks import examine

__all__ = ["Finding", "Severity", "apply_fix", "examine"]
