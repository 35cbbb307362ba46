"""A tree of files as repositories hold them, for the row `lint` of scripts/bench. The same count gives the same bytes."""
import random
from pathlib import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4


def write_lint_tree(folder: Path, count: int = 10_000) -> dict[str, int]:
    """Writes `count` files below `folder`; returns how many there are of each kind."""
    dice = random.Random(20241015)
    kinds = [(dockerfile, 10), (kubernetes, 20), (compose, 8), (workflow, 8), (gitlab, 3), (values, 6), (script, 15), (devcontainer, 2),
             (configuration, 10), (source, 18)]
    makers = dice.choices([maker for maker, _ in kinds], [weight for _, weight in kinds], k=count)
    counts: dict[str, int] = {}
    for number, maker in enumerate(makers):
        name, text = maker(dice, number)
        path = folder / f"team{number % 40}/service{number // 40}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        counts[maker.__name__] = counts.get(maker.__name__, 0) + 1
    return counts


def image(dice: random.Random) -> str:
    name = dice.choice(["python", "node", "debian", "nginx", "registry:5000/team/app", "ghcr.io/org/tool", "paddlepaddle/paddle"])
    return name + dice.choice(["", ":latest", ":1.2.3", ":1.2.3", f":1.2.3@{DIGEST}", f"@{DIGEST}"])


def dockerfile(dice: random.Random, number: int) -> tuple[str, str]:
    packages = " \\\n      ".join(dice.sample(["curl", "git", "make", "vim", "jq", "gcc=4:12.2.0-3", "less", "wget"], 5))
    return f"Dockerfile.{number}" if number % 3 else f"{number}/Dockerfile", f"""# Service {number}
ARG VERSION=3.11
FROM {image(dice)} AS build
WORKDIR /src
COPY requirements.txt .
RUN apt-get update \\
 && apt-get install -y --no-install-recommends \\
      {packages} \\
 && rm -rf /var/lib/apt/lists/*
RUN --mount=type=cache,target=/root/.cache pip install -r requirements.txt
RUN curl -fsSLO https://example.org/tool-{number}.tar.gz && tar xf tool-{number}.tar.gz
COPY . .
RUN make -j4 all

FROM {image(dice)}
COPY --from=build /src/out /usr/local/bin/
ENV LANG=C.UTF-8
USER 1000
ENTRYPOINT ["/usr/local/bin/service"]
"""


def kubernetes(dice: random.Random, number: int) -> tuple[str, str]:
    resources = dice.choice(["", """
        resources:
          requests: {cpu: 500m, memory: 512Mi}
          limits: {cpu: "1", memory: 1Gi}"""])
    service = f"""apiVersion: v1
kind: Service
metadata:
  name: service-{number}
spec:
  selector:
    app: service-{number}
  ports:
  - port: 80
    targetPort: 8080
"""
    deployment = f"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: service-{number}
  labels:
    app: service-{number}
spec:
  replicas: {dice.randint(1, 5)}
  selector:
    matchLabels:
      app: service-{number}
  template:
    metadata:
      labels:
        app: service-{number}
    spec:
      containers:
      - name: main
        image: {image(dice)}
        ports:
        - containerPort: 8080
        env:
        - name: LOG_LEVEL
          value: info{resources}
"""
    return f"k8s-{number}.yaml", service + "---\n" + deployment if number % 2 else service


def compose(dice: random.Random, number: int) -> tuple[str, str]:
    services = "".join(f"""  part{index}:
    image: {image(dice)}
    restart: always
    environment:
      - A={index}
    ports: ["80{index}:80"]
""" for index in range(dice.randint(2, 5)))
    return f"{number}/compose.yaml", "services:\n" + services


def workflow(dice: random.Random, number: int) -> tuple[str, str]:
    return f".github/workflows/ci-{number}.yml", f"""name: ci
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    container: {image(dice)}
    services:
      db:
        image: {image(dice)}
    steps:
    - uses: actions/checkout@v4
    - name: build
      run: |
        make all
        docker run --rm -v "$PWD:/src" {image(dice)} make check
"""


def gitlab(dice: random.Random, number: int) -> tuple[str, str]:
    jobs = "".join(f"""test-{index}:
  image: {image(dice)}
  script:
    - make check
    - ./run {index}
""" for index in range(4))
    return f"{number}/.gitlab-ci.yml", "stages: [test]\n" + jobs


def values(dice: random.Random, number: int) -> tuple[str, str]:
    return f"chart-{number}/values.yaml", f"""replicaCount: 1
image:
  repository: example.org/team/app-{number}
  tag: "{dice.choice(['latest', '1.2.3', ''])}"
service:
  type: ClusterIP
  port: 80
"""


def script(dice: random.Random, number: int) -> tuple[str, str]:
    body = "".join(f'log "step {index}"\nfor file in data/*.{index}; do\n  process "$file" > "out/$file" || exit 1\ndone\n' for index in range(12))
    if number % 3 == 0:
        return f"job-{number}.slurm", f"#!/bin/bash\n#SBATCH -N 2\n#SBATCH --gres=gpu:4\n{body}srun --container-image={image(dice)} python train.py\n"
    return f"run-{number}.sh", f"#!/bin/sh\nset -eu\n{body}" + (f"docker run --rm {image(dice)} true\n" if number % 3 == 1 else "")


def devcontainer(dice: random.Random, number: int) -> tuple[str, str]:
    return f"{number}/.devcontainer/devcontainer.json", f"""{{
  // the team's container
  "name": "app-{number}",
  "image": "{image(dice)}",
  "customizations": {{"vscode": {{"extensions": ["a.b", "c.d"]}}}},
}}
"""


def configuration(dice: random.Random, number: int) -> tuple[str, str]:
    rows = "".join(f"  key{index}:\n    name: value {dice.randint(0, 999)}\n    list: [a, b, c]\n" for index in range(30))
    return f"settings-{number}.yaml", "settings:\n" + rows


def source(dice: random.Random, number: int) -> tuple[str, str]:
    return f"module_{number}.py", "".join(f"def function_{index}(x):\n    return x + {dice.randint(0, 99)}\n\n\n" for index in range(60))
