"""What onnxruntime answers, and the file that keeps rows with their answers.

`NAME.rows` is little-endian: eight bytes `onnxrows`; three u32: rows, inputs, outputs; then the inputs, then the outputs,
both row by row as f32. NaN stands for a missing input, or for an answer that is none.
"""

import struct

import numpy as np
import onnxruntime

MAGIC = b"onnxrows"


def answers(content: bytes, rows: np.ndarray) -> np.ndarray:
    """The model's last output, rows x outputs, worked out on one thread so that sums are always formed in one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    output = session.get_outputs()[-1].name
    return session.run([output], {given.name: rows})[0].reshape(len(rows), -1)


def file(rows: np.ndarray, outputs: np.ndarray) -> bytes:
    """The content of NAME.rows."""
    if rows.dtype != np.float32 or outputs.dtype != np.float32:
        raise TypeError(f"{rows.dtype} and {outputs.dtype} are not both float32")
    head = MAGIC + struct.pack("<III", len(rows), rows.shape[1], outputs.shape[1])
    return head + rows.astype("<f4").tobytes() + outputs.astype("<f4").tobytes()
