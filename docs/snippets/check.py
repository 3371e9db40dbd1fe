from tinyvmaf import dnn

verdict = dnn.check(b"these bytes are no model")
print(verdict.accepted, verdict.reason)
