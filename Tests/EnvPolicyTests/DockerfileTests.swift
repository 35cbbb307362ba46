/// Dockerfiles: the grammar, and every rule with a case it finds and cases it must not.
import EnvCore
import Testing

@testable import EnvPolicy

@Suite struct DockerfileTests {
  static let images: [(String, [String])] = [
    ("FROM python:3.11\n", ["EC103 1:6-17"]),
    ("FROM python\n", ["EC102 1:6-12"]),
    ("FROM python:latest AS x\nFROM x\n", ["EC101 1:6-19"]),
    ("FROM scratch\nFROM SCRATCH\n", []),
    ("from --platform=linux/amd64 python:3.11 as Build\nFROM build\nCOPY --from=BUILD /a /b\nCOPY --from=0 /a /b\n", ["EC103 1:29-40"]),
    ("FROM python@\(digest) AS python\nFROM python\n", []),
    ("FROM a@\(digest)\nCOPY --from=1 /a /b\n", ["EC102 2:13-14"]),
    ("FROM a@\(digest)\nCOPY --from=busybox:1.36 /bin/sh /b\n", ["EC103 2:13-25"]),
    ("FROM a@\(digest)\nRUN --mount=type=bind,from=busybox:1.36,source=/x,target=/y true\n", ["EC103 2:28-40"]),
    ("FROM a@\(digest) AS s\nFROM a@\(digest)\nRUN --mount=type=bind,from=s,target=/y --network=none true\n", []),
    ("# syntax=docker/dockerfile:1\nFROM scratch\n", ["EC103 1:10-29"]),
    ("# syntax = docker/dockerfile:1.7@\(digest)\nFROM scratch\n", []),
    ("# a comment\n# syntax=docker/dockerfile:1\nFROM scratch\n", []),
    ("# escape=`\nFROM `\n  python:3.11\n", ["EC103 3:3-14"]),
    ("FROM \\\n  # a comment between\n\n  python:3.11 \\\n  AS x\nFROM x\n", ["EC103 4:3-14"]),
    ("\u{FEFF}FROM python:3.11\r\nFROM node:20\r\n", ["EC103 1:6-17", "EC103 2:6-13"]),
    ("FROM a@\(digest)\nONBUILD COPY --from=busybox:1.36 /a /b\n", ["EC103 2:21-33"]),
    ("FROM a@\(digest)\nONBUILD RUN pip install x\n", ["EC202 2:25-26"]),
    ("FROM a@\(digest)\nCOPY <<EOF /x\nFROM python\nEOF\nFROM node:20\n", ["EC103 5:6-13"]),
    ("FROM a@\(digest)\nRUN <<-'EOF'\n\tpip install numpy\n\tEOF\nFROM node:20\n", ["EC202 3:14-19", "EC103 5:6-13"]),
    ("FROM a@\(digest)\nRUN <<EOF\n#!/usr/bin/env python3\npip install numpy\nEOF\n", []),
    ("FROM a@\(digest)\nRUN bash <<EOF\npip install numpy\nEOF\n", ["EC202 3:13-18"]),
    ("FROM a@\(digest)\nRUN cat <<EOF > /x\npip install numpy\nEOF\n", []),
    ("FROM registry:5000/foo\n", ["EC102 1:6-23"]),
    ("FROM Bad/Name:1\n", ["EC107 1:6-16"]),
    ("FROM\n\nAS x\n", []),
  ]

  @Test(arguments: images) func image(_ text: String, _ expected: [String]) { #expect(places(text) == expected) }

  static let arguments: [(String, [String])] = [
    ("ARG BASE=python:3.11\nFROM ${BASE}\n", ["EC105 2:6-13"]),
    ("ARG BASE=python:3.11\nFROM $BASE AS x\n", ["EC105 2:6-11"]),
    ("ARG BASE=python:3.11@\(digest)\nFROM ${BASE}\n", []),
    ("ARG V=3.11\nFROM python:${V}\n", ["EC105 2:6-17"]),
    ("ARG V=3.11\nFROM python:${V}@\(digest)\n", []),
    ("ARG D=\(digest)\nFROM python@${D}\n", []),
    ("ARG BASE\nFROM $BASE\n", ["EC106 2:6-11"]),
    ("FROM ${BASE:-python:3.11}\n", ["EC105 1:6-26"]),
    ("ARG BASE=\nFROM ${BASE:-python@\(digest)}\n", []),
    ("ARG BASE=a@\(digest)\nFROM ${BASE:-python:3.11}\n", []),
    ("ARG S=build\nFROM a@\(digest) AS build\nFROM $S\n", []),
    ("FROM a@\(digest)\nARG BASE=python:3.11\nFROM $BASE\n", ["EC106 3:6-11"]),
    ("ARG A=python B=3.11\nARG C=${A}:${B}\nFROM $C\n", ["EC105 3:6-8"]),
    ("ARG BASE=\"python:3.11\"\nFROM $BASE\n", ["EC105 2:6-11"]),
    ("FROM img-${TARGETARCH}:1\n", ["EC106 1:6-25"]),
    ("FROM {{ cookiecutter.image }}\n", ["EC106 1:6-8"]),
    ("FROM x:${V#v}\n", ["EC106 1:6-14"]),
  ]

  @Test(arguments: arguments) func argument(_ text: String, _ expected: [String]) { #expect(places(text) == expected) }

  static let installs: [(String, [String])] = [
    ("apt-get update && apt-get install -y --no-install-recommends curl git", ["EC201"]),
    ("apt-get install -y curl=7.88.1-10 git=1:2.39.2-1", []), ("apt-get install -y -t bookworm-backports curl=1", []),
    ("apt-get -o Acquire::Retries=3 install curl", ["EC201"]), ("apt install ./local.deb /tmp/other.deb", []),
    ("apt-get install -y $PACKAGES", []), ("apt-get update; apt-get -y upgrade", ["EC201"]), ("sudo apt-get install curl", ["EC201"]),
    ("apt-get remove curl", []), ("echo apt-get install curl", []), ("apt-get install --yes curl/bookworm", ["EC201"]),
    ("DEBIAN_FRONTEND=noninteractive apt-get install -qq vim", ["EC201"]),
    ("if true; then apt-get install vim; fi", ["EC201"]), ("for p in a b; do apt-get install \"$p\"; done", []),
    ("pip install numpy", ["EC202"]), ("pip install numpy==1.26.4", ["EC203"]), ("pip install --require-hashes -r requirements.txt", []),
    ("pip install -r requirements.txt --require-hashes", []), ("pip install -r requirements.txt", ["EC203"]),
    ("pip install --no-cache-dir -rrequirements.txt", ["EC203"]), ("pip3 install 'numpy>=1,<2'", ["EC202"]),
    ("pip install numpy==1.*", ["EC202"]), ("python -m pip install --upgrade pip", ["EC202"]),
    ("python3.11 -m pip install x===1.0", ["EC203"]),
    ("pip install .", []), ("pip install -e .", []), ("pip install -e .[dev]", []), ("pip install '.[gpu]' ./other", []),
    ("pip install /wheels/x-1.0-py3-none-any.whl", []), ("pip install --no-index --find-links=/wheels numpy", []),
    ("pip install git+https://example.org/x.git@\(commit)", []), ("pip install git+https://example.org/x.git@main", ["EC202"]),
    ("pip install https://example.org/x-1.0.whl", ["EC202"]), ("pip install https://example.org/x-1.0.whl#sha256=\(hex)", []),
    ("pip install -c constraints.txt numpy", ["EC203"]), ("pip install -i https://example.org/simple numpy==1.0", ["EC203"]),
    ("uv pip install --system numpy", ["EC202"]), ("pip uninstall -y numpy", []), ("pip list", []), ("pip install pip==${V}", ["EC203"]),
    ("bash -c 'pip install numpy'", ["EC202"]), ("[\"pip\", \"install\", \"numpy\"]", ["EC202"]), ("apt-get install python3-pip=23.0", []),
  ]

  @Test(arguments: installs) func install(_ command: String, _ expected: [String]) {
    #expect(ids("FROM a@\(digest)\nRUN \(command)\n") == expected)
    // Packages are the business of image files only.
    #expect(ids("#!/bin/sh\n\(command)\n", "x.sh").filter { $0.hasPrefix("EC2") } == [])
  }

  static let downloads: [(String, [String])] = [
    ("curl -fsSLO https://example.org/x.tar.gz", ["EC301"]), ("curl -fsSL https://example.org/x.sh | bash", ["EC301"]),
    ("curl -fsSL https://example.org/x.sh | sudo -E bash -", ["EC301"]), ("bash -c \"$(curl -fsSL https://example.org/x.sh)\"", ["EC301"]),
    ("bash <(curl -s https://example.org/x.sh)", ["EC301"]), ("curl https://example.org/x > /x", ["EC301"]),
    ("curl -o /dev/null https://example.org/", []), ("curl -s https://example.org/api | jq .", []),
    ("V=$(curl -s https://example.org/version)", []), ("curl -fsSL http://localhost:8080/x -o x", []),
    ("curl -fo x https://example.org/x && echo '\(hex)  x' | sha256sum -c", []),
    ("curl -fsSL https://example.org/x | tee x | sha256sum --check s", []),
    ("wget https://example.org/x", ["EC301"]), ("wget -q https://example.org/x && sha256sum -c sums", []),
    ("wget -qO- https://example.org/x | tar xz", ["EC301"]),
    ("wget -qO- https://example.org/x | grep y", []), ("wget --spider https://example.org/x", []),
    ("wget -O /dev/null https://example.org/x", []),
    ("wget https://example.org/x && md5sum -c x.md5", ["EC301"]),
    ("curl -O https://example.org/x https://example.org/x.asc && gpg --verify x.asc x", []),
    ("curl -O https://example.org/SHA256SUMS", []), ("aria2c --checksum=sha-256=\(hex) https://example.org/x", []), ("curl --version", []),
    ("curl -XPOST https://example.org/hook", []), ("curl -H 'o: O' https://example.org/x", []),
    ("curl -k https://example.org/x | jq .", ["EC302"]), ("curl -fsSkL https://example.org/x | jq .", ["EC302"]),
    ("curl --insecure https://e.org", ["EC302"]),
    ("curl -k https://localhost/x", []), ("curl -ofk https://example.org/x | sha256sum", []),
    ("wget --no-check-certificate --spider https://example.org", ["EC302"]),
    ("pip install --trusted-host example.org .", ["EC302"]), ("git -c http.sslVerify=false clone https://example.org/x", ["EC302"]),
    ("git config --global http.sslVerify false", ["EC302"]), ("git config --global http.sslVerify true", []),
    ("GIT_SSL_NO_VERIFY=1 git clone https://example.org/x", ["EC302"]), ("export NODE_TLS_REJECT_UNAUTHORIZED=0", ["EC302"]),
    ("apt-get --allow-unauthenticated install x=1", ["EC302"]), ("apt-get -o Acquire::https::Verify-Peer=false update", ["EC302"]),
    ("wget https://example.org/ernie.pdparams", ["EC401"]),
    ("curl -Lo m.bin https://example.org/model.safetensors?download=true", ["EC401"]),
    ("wget https://example.org/model.pdparams.tar.gz", ["EC401"]),
    ("wget https://example.org/m.onnx && echo '\(hex)  m.onnx' | sha256sum -c", []),
    ("huggingface-cli download org/model", ["EC401"]), ("hf download org/model --revision main", ["EC401"]),
    ("hf download org/model --revision \(commit)", []),
    ("git clone https://huggingface.co/org/model", ["EC401"]),
    ("git clone https://huggingface.co/org/model && cd model && git checkout \(commit)", []),
    ("git clone https://example.org/code", []),
  ]

  @Test(arguments: downloads) func download(_ command: String, _ expected: [String]) {
    #expect(ids("FROM a@\(digest)\nRUN \(command)\n") == expected)
    #expect(ids("#!/bin/sh\n\(command)\n", "x.sh") == expected)
  }

  static let adds: [(String, [String])] = [
    ("ADD https://example.org/x.tar.gz /x", ["EC301"]), ("ADD --checksum=\(digest) https://example.org/x.tar.gz /x", []),
    ("ADD x.tar.gz /x", []), ("ADD https://example.org/m.onnx /m", ["EC401"]), ("ADD https://example.org/x.git#main /x", ["EC301"]),
    ("ADD https://example.org/x.git#\(commit) /x", []), ("ADD [\"https://example.org/x\", \"/x\"]", ["EC301"]),
    ("ADD --chown=1 http://localhost/x /x", []),
    ("ENV GIT_SSL_NO_VERIFY=1 A=b", ["EC302"]), ("ENV PIP_TRUSTED_HOST=example.org", ["EC302"]), ("ENV PYTHONHTTPSVERIFY=1", []),
  ]

  @Test(arguments: adds) func add(_ instruction: String, _ expected: [String]) {
    #expect(ids("FROM a@\(digest)\n\(instruction)\n") == expected)
  }

  @Test func wording() {
    #expect(
      messages("FROM python:3.11 AS build\nFROM node\nRUN apt-get install -y a b c d e\n") == [
        "stage 'build': 'python:3.11' has a tag and no digest", "stage 2: 'node' has no tag",
        "RUN: 'a', 'b', 'c' and 2 more have no version",
      ])
    #expect(
      messages("ARG V=3.11\nFROM python:${V}\n") == [
        "stage 1: python:${V} is 'python:3.11' unless 'V' is set, and 'python:3.11' has a tag and no digest"
      ])
    #expect(messages("FROM ${X}\n") == ["stage 1: nothing here says what '${X}' is (X)"])
  }

  @Test("a place inside a continued line is the line it stands in") func continued() {
    #expect(
      places("FROM a@\(digest)\nRUN apt-get update \\\n && apt-get install -y \\\n      # why\n      curl \\\n      git\n") == [
        "EC201 5:7-11"
      ])
  }
}
