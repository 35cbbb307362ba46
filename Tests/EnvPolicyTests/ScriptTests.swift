/// Scripts, devcontainer.json and definition files: which words are images.
import EnvCore
import Testing

@testable import EnvPolicy

@Suite struct ScriptTests {
  static let lines: [(String, [String])] = [
    ("docker run --rm -it alpine:3.19 sh", ["EC103 1:21-32"]), ("docker run alpine", ["EC102 1:12-18"]),
    ("docker run -v /a:/b -p 80:80 --name x -e A=b --gpus all python:3.11 python x:1", ["EC103 1:57-68"]),
    ("docker run -v/a:/b -p80:80 --name=x python:3.11", ["EC103 1:37-48"]), ("docker run -itv /a:/b python:3.11", ["EC103 1:23-34"]),
    ("docker run --rm -d --privileged x@\(digest)", []), ("docker container run x:1", ["EC103 1:22-25"]),
    ("docker image pull x:1", ["EC103 1:19-22"]),
    ("docker --context c -H unix:///x run x:1", ["EC103 1:37-40"]), ("docker build -t x:latest .", []), ("docker push x:latest", []),
    ("docker build --build-arg BASE_IMAGE=python:3.11 .", ["EC103 1:37-48"]), ("docker build --build-arg VERSION=3.11 .", []),
    ("docker buildx build --build-arg=IMAGE=\"x:1\" .", ["EC103 1:40-43"]), ("buildah bud --build-arg IMAGE=x@\(digest) .", []),
    ("podman build --build-context b=docker-image://x:1 --build-context c=../c .", ["EC103 1:47-50"]),
    ("docker build --build-arg BASE_IMAGE=\"$BASE\" .", ["EC106 1:38-43"]), ("docker build --build-arg BASE_IMAGE .", []),
    ("docker ps; docker exec c sh; docker compose run web", []), ("podman pull a:1 b@\(digest) c", ["EC103 1:13-16", "EC102 1:91-92"]),
    ("podman run oci:/layout", []), ("sudo docker create 'x:1'", ["EC103 1:21-24"]), ("timeout 30 nerdctl run \"x:1\"", ["EC103 1:25-28"]),
    ("docker run \"${OPTS[@]}\" x:1", ["EC103 1:25-28"]), ("docker run $DOCKER_ARGS x:1", ["EC103 1:25-28"]),
    ("docker run -- x:1", ["EC103 1:15-18"]),
    ("docker run $IMAGE sh", ["EC106 1:12-18"]), ("docker run x:$TAG", ["EC106 1:12-18"]), ("docker run $(cat image)", []),
    ("docker run \"$(cat image)\"", ["EC106 1:13-25"]),
    ("IMAGE=x:1\ndocker run \"$IMAGE\"", ["EC105 2:13-19"]), ("IMAGE=x@\(digest)\ndocker run $IMAGE", []),
    ("IMAGE=${IMAGE:-x:1}\ndocker run ${IMAGE}", ["EC105 2:12-20"]), (": \"${IMAGE:=x:1}\"\ndocker run $IMAGE", ["EC105 2:12-18"]),
    ("export IMAGE='x:1'\ndocker run $IMAGE", ["EC105 2:12-18"]), ("IMAGE=$1\ndocker run $IMAGE", ["EC106 2:12-18"]),
    ("docker run ${IMAGE:-x@\(digest)}", []), ("# docker run x:1", []), ("echo docker run x:1", []), ("echo 'docker run x:1'", []),
    ("docker run \\\n  --rm \\\n  x:1", ["EC103 3:3-6"]), ("if docker run x:1; then :; fi", ["EC103 1:15-18"]),
    ("a && docker run x:1 || b", ["EC103 1:17-20"]),
    ("X=$(docker run x:1)", ["EC103 1:16-19"]), ("(docker run x:1)", ["EC103 1:13-16"]), ("{ docker run x:1; }", ["EC103 1:14-17"]),
    ("echo `docker run x:1`", ["EC103 1:18-21"]), ("bash -c 'docker run x:1'", ["EC103 1:21-24"]),
    ("ssh h <<EOF\ndocker run x:1\nEOF", ["EC103 2:12-15"]),
    ("cat <<EOF\ndocker run x:1\nEOF\ndocker pull y", ["EC102 4:13-14"]),
    ("sbatch <<'E'\nsrun --container-image=x:1 y\nE", ["EC103 2:24-27"]),
    ("apptainer exec --nv docker://x:1 python", ["EC103 1:21-33"]), ("singularity pull docker://x@\(digest)", []),
    ("srun apptainer run docker://x:1", ["EC103 1:20-32"]), ("apptainer run x.sif", []), ("apptainer pull library://a/b:1", []),
    ("srun --container-image=nvcr.io#nvidia/pytorch:24.01-py3 python", ["EC103 1:24-56"]),
    ("srun --container-image x:1 y", ["EC103 1:24-27"]),
    ("srun --container-image=/shared/x.sqsh y", []), ("srun --container-image=./x.sqsh y", []),
    ("srun --container-image=\"user@h:5000#a/b\" y", ["EC102 1:25-40"]),
    ("#SBATCH --container-image=x:1\n#SBATCH -n 1", ["EC103 1:27-30"]), ("#SBATCH --container-image nvcr.io#a/b:1", ["EC103 1:27-40"]),
    ("docker run registry:5000/foo", ["EC102 1:12-29"]), ("docker run x:1\r\ndocker run y\r\n", ["EC103 1:12-15", "EC102 2:12-13"]),
  ]

  @Test(arguments: lines) func line(_ text: String, _ expected: [String]) { #expect(places(text, "job.sh") == expected) }

  @Test func kinds() {
    #expect(places("#!/bin/bash -l\ndocker run x:1\n", "bin/launch") == ["EC103 2:12-15"])
    #expect(places("#!/usr/bin/env bash\ndocker run x:1\n", "launch") == ["EC103 2:12-15"])
    #expect(places("#!/usr/bin/env python3\ndocker run x:1\n", "launch") == [])
    #expect(places("docker run x:1\n", "notes.md") == [])
    #expect(places("docker run x:1\n", "train.slurm") == ["EC103 1:12-15"])
    for name in ["Containerfile", "a/Dockerfile.gpu", "gpu.Dockerfile", "x.containerfile"] { #expect(ids("FROM x\n", name) == ["EC102"]) }
    for name in ["Dockerfile.dockerignore", "Dockerfiles/readme.txt"] { #expect(ids("FROM x\n", name) == []) }
  }

  static let devcontainers: [(String, [String])] = [
    ("{\n  // base\n  \"image\": \"mcr.microsoft.com/devcontainers/python:3.11\", /* 基础 */ \"name\": \"x\",\n}\n", ["EC103 3:13-56"]),
    ("{\"image\":\"x@\(digest)\"}", []), ("{\"build\": {\"dockerfile\": \"Dockerfile\"}}", []),
    ("{\r\n\t\"image\": \"x\"\r\n}", ["EC102 2:12-13"]),
    ("{\"url\": \"http://x\", /* é */ \"image\": \"x\"}", ["EC102 1:39-40"]),
    ("{\"image\": \"x\", \"postCreateCommand\": \"docker pull y\"}", ["EC102 1:12-13", "EC102 1:50-51"]),
  ]

  @Test(arguments: devcontainers) func devcontainer(_ text: String, _ expected: [String]) {
    #expect(places(text, ".devcontainer/devcontainer.json") == expected)
  }

  @Test func definition() {
    let text = "Bootstrap: docker\nFrom: python:3.11\n\n%post\n  pip install numpy\n%runscript\n  docker run x\n"
    #expect(places(text, "x.def") == ["EC103 2:7-18", "EC202 5:15-20"])
    #expect(places("Bootstrap: library\nFrom: python:3.11\n", "Singularity") == [])
  }
}
