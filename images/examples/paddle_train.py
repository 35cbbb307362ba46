"""A small PaddlePaddle training under envctl. Data and first weights come from numpy, whose generator no framework changes."""

import numpy as np
import paddle

import envctl_record as record

RATE, STEPS = 0.01, 60

random = np.random.RandomState(7)
features = random.normal(size=(512, 16)).astype("float32")
labels = (features[:, :4].sum(axis=1) + random.normal(size=512) > 0).astype("float32").reshape(-1, 1)

model = paddle.nn.Sequential(paddle.nn.Linear(16, 32), paddle.nn.GELU(), paddle.nn.Linear(32, 1))
for parameter in model.parameters():
    parameter.set_value(random.normal(scale=0.2, size=parameter.shape).astype("float32"))
optimizer = paddle.optimizer.Adam(RATE, parameters=model.parameters())

record.environment()
record.hyperparameters(rate=RATE, optimizer="Adam")
record.tensor("features", features, input=True)
record.tensor("first weights", model.state_dict(), input=True)
record.steps(STEPS)
inputs, targets = paddle.to_tensor(features), paddle.to_tensor(labels)
for number in range(1, STEPS + 1):
    loss = paddle.nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
    loss.backward()
    optimizer.step()
    optimizer.clear_grad()
    record.step(number, loss=loss)
scores = paddle.nn.functional.sigmoid(model(inputs))
record.metric("accuracy", float(((scores.numpy() > 0.5) == labels).mean()))
record.scores("probability", scores[:64])
record.tensor("weights", model.state_dict())
