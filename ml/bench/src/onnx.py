"""One network in onnxruntime: reads pictures (bytes: rows, pixels, channels), answers nanoseconds and floats.

Arguments: model file, rows, columns, threads, "optimised" or "plain". Everything binary is little-endian. An answer is the
number of floats (8 bytes), the nanoseconds of the run (8 bytes), and the floats of all outputs in their order.
"""

import sys
import time

import numpy
import onnx
import onnxruntime

file, rows, columns, threads, optimised = sys.argv[1:]
rows, columns = int(rows), int(columns)

model = onnx.load(file)
# Some files list weights as inputs, read by nobody or constant, and onnxruntime would ask for them at every run.
read = {name for node in model.graph.node for name in node.input}
constants = {constant.name for constant in model.graph.initializer}
inputs = [value for value in model.graph.input if value.name in read - constants]
del model.graph.input[:]
model.graph.input.extend(inputs)
# The size is the caller's; what the file says about sizes in between follows from it.
dimensions = model.graph.input[0].type.tensor_type.shape.dim
dimensions[2].dim_value, dimensions[3].dim_value = rows, columns
del model.graph.value_info[:]
for output in model.graph.output:
    output.type.tensor_type.ClearField("shape")
# A block size beside a scale for the whole tensor means nothing, and onnxruntime refuses it.
scalars = {constant.name for constant in model.graph.initializer if list(constant.dims) in ([], [1])}
for node in model.graph.node:
    if node.op_type == "DequantizeLinear" and node.input[1] in scalars:
        kept = [attribute for attribute in node.attribute if attribute.name != "block_size"]
        del node.attribute[:]
        node.attribute.extend(kept)

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(threads)
options.inter_op_num_threads = 1
options.log_severity_level = 3
# The weights are stored in eight bits and computed with as floats: this has them converted once instead of at every run.
options.add_session_config_entry("session.disable_quant_qdq", "1")
if optimised == "plain":
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

name, size = inputs[0].name, rows * columns * 3
while len(pixels := sys.stdin.buffer.read(size)) == size:
    picture = numpy.frombuffer(pixels, numpy.uint8).reshape(1, rows, columns, 3)
    tensor = numpy.ascontiguousarray(picture.transpose(0, 3, 1, 2), numpy.float32)
    start = time.thread_time_ns()
    outputs = session.run(None, {name: tensor})
    spent = time.thread_time_ns() - start
    floats = numpy.concatenate([output.ravel() for output in outputs]).astype("<f4").tobytes()
    sys.stdout.buffer.write(numpy.array([len(floats) // 4, spent], "<u8").tobytes() + floats)
    sys.stdout.buffer.flush()
