"""A small PyTorch training under envctl. Data and first weights come from numpy, whose generator no framework changes."""

import numpy as np
import torch

import envctl_record as record

RATE, STEPS = 0.01, 60

random = np.random.RandomState(7)
features = random.normal(size=(512, 16)).astype("float32")
labels = (features[:, :4].sum(axis=1) + random.normal(size=512) > 0).astype("float32").reshape(-1, 1)

model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 1))
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.from_numpy(random.normal(scale=0.2, size=tuple(parameter.shape)).astype("float32")))
optimizer = torch.optim.Adam(model.parameters(), RATE)
torch.set_num_threads(1)  # The order of a sum is the number of threads'.

record.environment()
record.hyperparameters(rate=RATE, optimizer="Adam")
record.tensor("features", features, input=True)
record.tensor("first weights", model.state_dict(), input=True)
record.steps(STEPS)
inputs, targets = torch.from_numpy(features), torch.from_numpy(labels)
for number in range(1, STEPS + 1):
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(inputs), targets)
    loss.backward()
    optimizer.step()
    record.step(number, loss=loss)
scores = torch.sigmoid(model(inputs))
record.metric("accuracy", ((scores > 0.5) == (targets > 0.5)).float().mean())
record.scores("probability", scores[:64])
record.tensor("weights", model.state_dict())
