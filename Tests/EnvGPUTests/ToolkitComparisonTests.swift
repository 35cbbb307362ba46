/// The specification of NVIDIA's own program beside ours, for one host: they differ in what is documented and in nothing else.
import CDI
import EnvCore
import EnvGPU
import SafeFS
import SystemPackage
import TestSupport
import Testing

/// `Fixtures/nvidia-ctk-1.17.9.json` is what nvidia-ctk 1.17.9 wrote (NVIDIA/nvidia-container-toolkit, tag v1.17.9, its sources and its
/// vendor folder unchanged; built with Go 1.19, to whose library `errors.Join` and `slices.Sort` were added) with the fixture's tree as its root:
///
///     chroot TREE nvidia-ctk cdi generate --format json --output /specification.json
///
/// It asks NVML for the GPUs. `Fixtures/nvml.c` answers in its place what the tree says, and `theProgramItself` runs all of it again where
/// that version is installed.
@Suite(.needs(.root)) struct ToolkitComparisonTests {
  private static let fixtures = FilePath(#filePath).removingLastComponent().appending("Fixtures")
  private static let recorded = fixtures.appending("nvidia-ctk-1.17.9.json")

  /// One thing a specification says, for a device or for all.
  private struct Statement: Hashable, CustomStringConvertible {
    enum Kind: String { case device, variable, node, mount, options, hook, link }
    /// A device's name; empty for what holds for every one.
    var device: String
    var kind: Kind
    var text: String
    var description: String { "\(device.isEmpty ? "all devices" : device): \(kind.rawValue) \(text)" }
  }

  /// A difference with its reason.
  private struct Documented {
    let reason: String
    /// Whether a statement only one of the two makes belongs to it; `isOurs` tells which.
    let covers: @Sendable (_ statement: Statement, _ isOurs: Bool) -> Bool
  }

  private static let parent = ["1", "GPU-66666666-7777-8888-9999-000000000000"]
  private static let displays = ["/dev/dri/card2", "/dev/dri/renderD129"]
  private static let graphics = [
    "/usr/share/X11", "/usr/share/egl", "/usr/share/glvnd", "/usr/share/vulkan", "/usr/lib/xorg", "libnvidia-egl-gbm.so", "/gbm/",
    "libnvidia-egl-wayland.so",
  ]

  private static let documented: [Documented] = [
    Documented(reason: "/proc does not tell the UUIDs of MIG instances") { statement, isOurs in
      !isOurs && statement.device.hasPrefix("MIG-")
    },
    Documented(reason: "a GPU in MIG mode can be had by its instances only") { statement, isOurs in
      !isOurs && (Self.parent.contains(statement.device) || (statement.device == "all" && Self.displays.contains(statement.text)))
    },
    Documented(reason: "no links in /dev/dri/by-path") { statement, isOurs in
      !isOurs && statement.kind == .link && statement.text.contains("/dev/dri/by-path/")
    },
    Documented(reason: "chmod served an old crun") { statement, isOurs in
      !isOurs && statement.text == "createContainer nvidia-cdi-hook chmod --mode 755 --path /dev/dri"
    },
    Documented(reason: "not every version has enable-cuda-compat") { statement, isOurs in
      !isOurs && statement.text.hasPrefix("createContainer nvidia-cdi-hook enable-cuda-compat ")
    },
    Documented(reason: "graphics: the environments compute") { statement, isOurs in
      !isOurs && statement.device.isEmpty && Self.graphics.contains { statement.text.contains($0) }
    },
    Documented(reason: "the folder of the Multi-Process Service") { statement, isOurs in
      isOurs && statement.text.hasPrefix("/tmp/nvidia-mps ")
    },
    Documented(reason: "sockets are not mounted ro from 1.18 on") { statement, isOurs in
      statement.kind == .options
        && statement.text.hasPrefix("/run/nvidia-persistenced/socket ")
        && statement.text.hasSuffix(isOurs ? " nosuid,nodev,rbind,rprivate,noexec" : " ro,nosuid,nodev,bind,noexec")
    },
    Documented(reason: "rbind,rprivate, as from 1.18 on") { statement, isOurs in
      statement.kind == .options && statement.text.hasSuffix(isOurs ? " ro,nosuid,nodev,rbind,rprivate" : " ro,nosuid,nodev,bind")
    },
  ]

  private func statements(_ spec: CDISpec) -> Set<Statement> {
    var statements = Set(spec.devices.map { Statement(device: $0.name, kind: .device, text: "") })
    for (device, edits) in [("", spec.edits)] + spec.devices.map({ ($0.name, $0.edits) }) {
      func add(_ kind: Statement.Kind, _ texts: [String], of owner: String = device) {
        for text in texts { statements.insert(Statement(device: owner, kind: kind, text: text)) }
      }
      add(.variable, edits.env)
      // Numbers and modes are the host's in both.
      add(.node, edits.deviceNodes.map { $0 == .init(path: $0.path) ? $0.path : "\($0)" })
      add(.mount, edits.mounts.map { "\($0.hostPath) at \($0.containerPath)" })
      add(.options, edits.mounts.map { "\($0.containerPath) \(($0.options ?? []).joined(separator: ","))" })
      for hook in edits.hooks {
        let words = hook.args ?? []
        let isLinks = words.dropFirst().first == "create-symlinks"
        if isLinks { add(.link, words.filter { $0.contains("::") }) }
        // How links are spread over calls makes no difference, nor whose hook names the program.
        let call = [hook.hookName.rawValue] + (isLinks ? Array(words.prefix(2)) : words)
        add(.hook, [call.joined(separator: " ")], of: isLinks ? "" : device)
        add(.hook, ["program " + hook.path], of: "")
        add(.variable, (hook.env ?? []).map { "of hooks: " + $0 }, of: "")
      }
    }
    return statements
  }

  /// Holds what only one of the two says against the list. Every entry of the list has to be needed.
  private func compare(_ theirs: CDISpec, with ours: CDISpec) {
    #expect(theirs.kind == ours.kind && theirs.version == ours.version && theirs.annotations == ours.annotations)
    let (their, our) = (statements(theirs), statements(ours))
    var isNeeded = Array(repeating: false, count: Self.documented.count)
    for (only, isOurs) in [(their.subtracting(our), false), (our.subtracting(their), true)] {
      for statement in only.sorted(by: { $0.description < $1.description }) {
        let entry = Self.documented.firstIndex { $0.covers(statement, isOurs) }
        #expect(entry != nil, "only \(isOurs ? "envctl" : "nvidia-ctk") says \(statement)")
        if let entry { isNeeded[entry] = true }
      }
    }
    for (entry, isNeeded) in zip(Self.documented, isNeeded) { #expect(isNeeded, "nothing differs by '\(entry.reason)' any more") }
  }

  private func ours(_ host: HostFixture) throws -> CDISpec {
    try #require(try host.inventory().generated.first { $0.spec.kind.description == "nvidia.com/gpu" }).spec
  }

  private func read(_ bytes: [UInt8]) throws -> CDISpec { try CDISpec(bytes, file: Self.recorded.string) }

  @Test func differencesAreTheDocumentedOnes() throws {
    try HostFixture.with { host in
      try host.toolkitHost()
      compare(try read(try FileSystem.readFile(Self.recorded)), with: try ours(host))
    }
  }

  @Test(
    .needs(
      .tool("cc", package: "gcc"),
      Capability("nvidia-ctk 1.17.9", isPresent: (try? Tool.run("nvidia-ctk", "--version").text.contains("1.17.9")) == true, package: nil)))
  func theProgramItself() throws {
    try HostFixture.with { host in
      try host.toolkitHost()
      let made = try ours(host)
      try addToolkit(to: host)
      let generate = ["nvidia-ctk", "--quiet", "cdi", "generate", "--format", "json", "--output", "/specification.json"]
      let outcome = try Tool.run("env", ["-i", "PATH=/usr/sbin:/usr/bin", "chroot", host.root.string] + generate)
      try #require(outcome.status == 0, "\(outcome)")
      let written = try read(try FileSystem.readFile(host.root.appending("specification.json")))
      #expect(try written == read(try FileSystem.readFile(Self.recorded)))
      compare(written, with: made)
    }
  }

  /// The program with the libraries it loads, and NVML's stand-in in the place of the empty one.
  private func addToolkit(to host: HostFixture) throws {
    let program = try #require(Tool.path("nvidia-ctk")).string
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader without an arrow.
    let needed = try Tool.run("ldd", program).text.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0.hasPrefix("/") }
    for path in needed + [program] {
      let place = path == program ? "usr/bin/nvidia-ctk" : String(path.dropFirst())
      try FileSystem.createDirectories(host.root.appending(place).removingLastComponent())
      try Tool.run("cp", "-L", path, host.root.appending(place).string)
    }
    let library = host.root.appending("usr/lib/x86_64-linux-gnu/libnvidia-ml.so.\(HostFixture.toolkitDriver)").string
    let built = try Tool.run("cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, Self.fixtures.appending("nvml.c").string)
    try #require(built.status == 0, "\(built)")
  }
}
