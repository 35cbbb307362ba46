/// The YAML formats: compose, Kubernetes, GitHub, GitLab, Helm values, envctl's own.
import EnvCore
import Testing

@testable import EnvPolicy

@Suite struct YAMLFileTests {
  static let composes: [(String, [String])] = [
    ("services:\n  web:\n    image: nginx:1.25\n", ["EC103 3:12-22"]),
    ("services:\n  web:\n    image: \"nginx:1.25\"  # why\n", ["EC103 3:13-23"]),
    ("services:\n  web: {image: 'nginx', ports: [80]}\n", ["EC102 2:17-22"]),
    ("services:\n  web:\n    build: .\n    image: mine:latest\n", []),
    ("services:\n  web:\n    image: nginx:1.25@\(digest)\n", []),
    ("services:\n  web:\n    image: ${IMAGE}\n", ["EC106 3:12-20"]),
    ("services:\n  web:\n    image: ${IMAGE:-nginx:1.25}\n", ["EC105 3:12-32"]),
    ("services:\n  web:\n    image: nginx:${TAG:-1.25}\n", ["EC105 3:12-30"]),
    ("services:\n  web:\n    image: ${IMAGE:?set it}\n", ["EC106 3:12-28"]),
    (
      "x-base: &base\n  image: nginx:1.25\nservices:\n  a:\n    <<: *base\n  b:\n    <<: *base\n    image: redis\n",
      ["EC103 2:10-20", "EC102 8:12-17"]
    ),
    ("services:\r\n  web:\r\n    image: nginx:1.25\r\n", ["EC103 3:12-22"]),
    ("\u{FEFF}services:\n  web:\n    image: nginx:1.25\n", ["EC103 3:12-22"]),
    ("services:\n  # 服务 一\n  名字: {image: nginx:1.25}\n", ["EC103 3:15-25"]),
    ("services:\n  web:\n    image: !x &a nginx:1.25\n", ["EC103 3:18-28"]),
    ("other:\n  web:\n    image: nginx:1.25\n", []),
  ]

  static let builds: [(String, [String])] = [
    (
      "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM python:3.11\n        RUN pip install numpy\n",
      ["EC103 5:14-25", "EC202 6:25-30"]
    ),
    ("services:\n  a:\n    build: {dockerfile_inline: FROM python}\n", ["EC102 3:37-43"]),
    (
      "services:\n  a:\n    build:\n      dockerfile_inline: |\n        FROM a@\(digest)\n        RUN <<EOF\n        docker pull b:1\n        EOF\n"
        + "        FROM c:1\n", ["EC103 7:21-24", "EC103 9:14-17"]
    ),
    ("services:\n  a:\n    build:\n      args: {BASE_IMAGE: python:3.11, TAG: x}\n", ["EC103 4:26-37"]),
    ("services:\n  a:\n    build:\n      args:\n      - BASE=python:3.11\n      - OTHER=python:3.11\n", ["EC103 5:14-25"]),
    (
      "services:\n  a:\n    build:\n      additional_contexts:\n        x: docker-image://python:3.11\n        y: ../y\n", ["EC103 5:27-38"]
    ),
    ("services:\n  a:\n    build:\n      additional_contexts: [x=docker-image://python:3.11]\n", ["EC103 4:46-57"]),
  ]

  @Test(arguments: builds) func composeBuilds(_ text: String, _ expected: [String]) { #expect(places(text, "compose.yaml") == expected) }

  static let kustomizations: [(String, [String])] = [
    ("images:\n- name: a\n  newTag: \"1.25\"\n", ["EC103 3:12-16"]),
    ("images:\n- name: a\n  newName: registry:5000/b\n  newTag: latest\n", ["EC101 4:11-17"]),
    ("images:\n- name: a\n  newTag: v1\n  digest: \(digest)\n- name: b\n  newName: c\n", []),
  ]

  @Test(arguments: kustomizations) func kustomize(_ text: String, _ expected: [String]) {
    #expect(places(text, "overlay/kustomization.yaml") == expected)
    #expect(places("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" + text, "k.yaml").count == expected.count)
    #expect(messages(text, "kustomization.yml").allSatisfy { $0.hasPrefix("image 'a'") })
  }

  @Test("objects of a cluster in JSON are judged, other JSON is not") func json() {
    let pod = #"{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}}"#
    #expect(ids(pod, "pod.json") == ["EC501", "EC502", "EC103"])
    #expect(ids("\t" + pod.replacing(", ", with: ",\n\t"), "pod.json") == ["EC501", "EC502", "EC103"])
    #expect(ids(#"{"image": "nginx:1.25", "services": {"a": {"image": "b"}}}"#, "data.json").isEmpty)
  }

  private static func podJSON(_ more: String) -> String {
    #"{"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "c", "image": "nginx:1.25"}]}"# + more + "}"
  }

  static let oddities = [
    #", "a": 1, "a": 2"#, #", "\#(String(repeating: "k", count: 1025))": 1"#,
    #", "a": \#(String(repeating: "[", count: 130))\#(String(repeating: "]", count: 130))"#, ", \"a\": [",
  ]

  @Test("an object of a cluster that cannot be read is a finding, in JSON as in YAML", arguments: oddities)
  func unreadableJSON(_ oddity: String) {
    #expect(ids(Self.podJSON(oddity), "pod.json") == ["EC903"])
    #expect(ids(Self.podJSON(oddity), "pod.yaml") == ["EC903"])
    #expect(ids(oddity, "data.json").isEmpty)
  }

  @Test("escaped surrogates are text like any other, and what follows them keeps its place") func surrogates() {
    let names = #", "\ud83d\ude00": 1, "\uD83D\uDE01": 2, "\ud800": 3, "\\ud800": 4"#
    #expect(ids(Self.podJSON(names), "pod.json") == ["EC501", "EC502", "EC103"])
    for emoji in [#"\ud83d\ude00"#, "abcdefghijkl"] {
      #expect(places(#"{"name": "\#(emoji)", "image": "nginx:1.25"}"#, ".devcontainer.json") == ["EC103 1:36-46"])
    }
  }

  @Test(arguments: composes) func compose(_ text: String, _ expected: [String]) { #expect(places(text, "compose.yaml") == expected) }

  private static let resources = "resources: {limits: {cpu: 1, memory: 1Gi}}"

  static let pods: [(String, [String])] = [
    (
      "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    image: nginx:1.25\n",
      ["EC501", "EC502", "EC103"]
    ),
    ("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: c, image: 'a@\(digest)', \(resources)}\n", []),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  resources: {limits: {cpu: 1, memory: 1Gi}}\n  containers:\n  - {name: c, image: 'a@\(digest)'}\n",
      []
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: c, image: 'a@\(digest)', resources: {requests: {cpu: 1, memory: 1Gi}}}\n",
      ["EC501", "EC502"]
    ),
    (
      "apiVersion: batch/v1\nkind: CronJob\nspec:\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          containers:\n"
        + "          - {name: c, image: a:1, \(resources)}\n", ["EC103"]
    ),
    (
      "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      initContainers:\n      - {name: i, image: a, \(resources)}\n"
        + "      containers:\n      - {name: c, image: b, \(resources)}\n      ephemeralContainers:\n      - {name: e, image: c}\n",
      ["EC102", "EC102", "EC102"]
    ),
    (
      "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  spec:\n    containers:\n    - {name: c, image: a, \(resources)}\n",
      ["EC102"]
    ),
    (
      "apiVersion: v1\nkind: ConfigMap\ndata: {image: nginx}\n---\napiVersion: v1\nkind: Pod\nspec:\n  containers:\n"
        + "  - {name: c, image: a, \(resources)}\n---\n", ["EC102"]
    ),
    (
      "apiVersion: kubeflow.org/v1\nkind: PaddleJob\nspec:\n  paddleReplicaSpecs:\n    Worker:\n      template:\n        spec:\n          containers:\n"
        + "          - {name: paddle, image: 'p:2.6.0-gpu-cuda11.7-cudnn8.4-trt8.4', \(resources)}\n", ["EC503", "EC103"]
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: c, image: 'cuda@\(digest)', resources: {limits: {cpu: 1, memory: 1Gi, nvidia.com/gpu: 1}}}\n",
      []
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    image: a@\(digest)\n    env: [{name: NVIDIA_VISIBLE_DEVICES, value: all}]\n    \(resources)\n",
      ["EC503"]
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    image: a@\(digest)\n    env: [{name: NVIDIA_VISIBLE_DEVICES, value: none}]\n    \(resources)\n",
      []
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  runtimeClassName: nvidia\n  containers:\n  - {name: c, image: 'a@\(digest)', \(resources)}\n",
      ["EC503"]
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    image: a@\(digest)\n    resources:\n      limits: {cpu: 1, memory: 1Gi}\n"
        + "      requests: {nvidia.com/gpu: 1}\n", ["EC503"]
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - name: c\n    image: a@\(digest)\n    resources:\n"
        + "      limits: {cpu: 1, memory: 1Gi, amd.com/gpu: 2}\n      requests: {amd.com/gpu: 1}\n", ["EC503"]
    ),
    (
      "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: c, image: 'a@\(digest)', \(resources)}\n  volumes:\n  - {name: v, image: {reference: 'b:1'}}\n",
      ["EC103"]
    ),
    ("apiVersion: v1\nkind: Service\nspec: {selector: {image: nginx}}\n", []),
    ("kind: Pod\nspec:\n  containers:\n  - {name: c, image: a}\n", []),
  ]

  @Test(arguments: pods) func pod(_ text: String, _ expected: [String]) { #expect(ids(text, "k8s/pod.yaml") == expected) }

  @Test func podWording() {
    #expect(
      messages(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  containers:\n  - name: c\n    image: a@\(digest)\n", "d.yml"
      ) == [
        "container 'c' of Deployment 'web' has neither a cpu request nor a cpu limit",
        "container 'c' of Deployment 'web' has neither a memory request nor a memory limit",
      ])
  }

  static let workflows: [(String, [String])] = [
    ("jobs:\n  a:\n    container: node:20\n", ["EC103 3:16-23"]),
    ("jobs:\n  a:\n    container:\n      image: node\n", ["EC102 4:14-18"]),
    ("jobs:\n  a:\n    services:\n      db: {image: 'postgres:16'}\n", ["EC103 4:20-31"]),
    ("jobs:\n  a:\n    steps:\n    - uses: docker://alpine:3.19\n    - uses: actions/checkout@v4\n", ["EC103 4:13-33"]),
    ("jobs:\n  a:\n    container: ${{ matrix.image }}\n", ["EC106 3:16-35"]),
    ("jobs:\n  a:\n    steps:\n    - name: t\n      run: |\n        echo\n        docker run --rm -it alpine:3.19 sh\n", ["EC103 7:29-40"]),
    ("jobs:\n  a:\n    steps:\n    - run: docker pull alpine\n", ["EC102 4:24-30"]),
    ("jobs:\n  a:\n    steps:\n    - run: >-\n        docker run\n        --rm alpine:3.19\n        docker\n", ["EC103 6:14-25"]),
    ("jobs:\n  a:\n    steps:\n    - shell: python\n      run: |\n        docker pull alpine\n", []),
    ("jobs:\n  a:\n    container: node@\(digest)\n", []),
  ]

  @Test(arguments: workflows) func workflow(_ text: String, _ expected: [String]) {
    #expect(places(text, ".github/workflows/ci.yml") == expected)
    #expect(places("name: x\n", ".github/workflows/ci.yml").isEmpty)
  }

  @Test func action() {
    #expect(places("runs:\n  using: docker\n  image: docker://alpine:3.19\n", "action.yml") == ["EC103 3:10-30"])
    #expect(places("runs:\n  using: docker\n  image: Dockerfile\n", "action.yml") == [])
  }

  static let pipelines: [(String, [String])] = [
    ("image: python:3.11\n", ["EC103 1:8-19"]), ("default:\n  image: {name: 'python', entrypoint: ['']}\n", ["EC102 2:18-24"]),
    ("test:\n  image: $IMG\n  script: [docker pull alpine]\n", ["EC106 2:10-14", "EC102 3:24-30"]),
    ("variables:\n  IMG: python:3.11\ntest:\n  image: $IMG\n", ["EC105 4:10-14"]),
    ("variables:\n  IMG: {value: 'python@\(digest)', description: x}\ntest:\n  image: ${IMG}\n", []),
    ("test:\n  services:\n  - postgres:16\n  - name: redis\n    alias: r\n", ["EC103 3:5-16", "EC102 4:11-16"]),
    ("test:\n  image: $CI_REGISTRY_IMAGE@\(digest)\n", []),
    ("t:\n  script:\n    - |\n      set -e\n      podman run x:1\n    - !reference [.a, script]\n", ["EC103 5:18-21"]),
    ("include: x.yml\nstages: [image]\n", []),
  ]

  @Test(arguments: pipelines) func pipeline(_ text: String, _ expected: [String]) { #expect(places(text, ".gitlab-ci.yml") == expected) }

  static let values: [(String, [String])] = [
    ("image:\n  repository: nginx\n  tag: \"1.25\"\n", ["EC103 3:9-13"]), ("image:\n  repository: nginx\n  tag: ''\n", ["EC102 2:15-20"]),
    ("image:\n  registry: registry:5000\n  repository: a/b\n  tag: latest\n", ["EC101 4:8-14"]),
    ("image:\n  repository: nginx\n  tag: '1.25'\n  digest: \(digest)\n", []), ("a:\n  image: nginx:1.25\n", ["EC103 2:10-20"]),
    ("a:\n  image: nginx\n  tag: 1.25\n", ["EC103 3:8-12"]), ("repository: https://example.org/charts\nversion: 1\n", []),
    ("imagePullPolicy: Always\n", []),
  ]

  @Test(arguments: values) func helm(_ text: String, _ expected: [String]) { #expect(places(text, "chart/values.yaml") == expected) }

  @Test("a template is skipped and told") func template() {
    let text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  {{- range .Values.c }}\n  - image: {{ .image }}\n  {{- end }}\n"
    let lint = FileLint(Array(text.utf8), path: "chart/templates/pod.yaml")
    #expect(lint.findings.isEmpty)
    #expect(lint.skipped == SkippedFile(file: "chart/templates/pod.yaml", reason: "a template, not YAML as it stands"))
  }

  @Test("broken YAML is a finding where it breaks, whatever braces it has") func broken() {
    #expect(places("image: a:1\nb: [{{\n", "compose.yaml").map { $0.prefix(5) } == ["EC903"])
    #expect(places("image: a:1\n\tb: 1\n", ".gitlab-ci.yml") == ["EC903 2:1-1"])
  }

  static let projects: [(String, [String])] = [
    ("schema: 1\nenvironment: paddle-2.6-cpu\n", []), ("schema: 1\nenvironment: oci:../layout:tag\n", []),
    ("schema: 1\nenvironment: oci-archive:x.tar\n", []),
    ("schema: 1\nenvironment: docker.io/paddlepaddle/paddle:2.6.0\n", ["EC103 2:14-49"]),
    ("schema: 1\nenvironment: paddle:latest\n", ["EC101 2:14-27"]), ("schema: 1\nenvironment: p@\(digest)\n", []),
    ("schema: 1\nenvironment: {framework: paddle, cuda: '11.8'}\n", []),
    ("schema: 1\nenvironment: x\nmodels:\n  m: {url: x, sha256: \(hex)}\n  n: {url: y}\n", ["EC401 5:6-7"]),
    ("schema: 1\nenvironment: x\nmodels:\n  - {path: a, sha256: \(digest)}\n  - {path: b}\n", ["EC401 5:5-6"]),
  ]

  @Test(arguments: projects) func project(_ text: String, _ expected: [String]) { #expect(places(text, "p/envctl.yaml") == expected) }

  @Test func recipe() {
    let text = "name: x\nplatform: linux/amd64\ndebian: {suite: bookworm}\n"
    #expect(places(text, "images/x/image.yaml") == ["EC204 1:7-8"])
    #expect(places(text, "images/x/image.yaml", hasRecipeLock: true) == [])
    #expect(places("name: x\nother: y\n", "image.yaml") == [])
  }
}
