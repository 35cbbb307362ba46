/// Reading CDI specifications: what is taken over, what is refused and where.
import CDI
import EnvCore
import StrictYAML
import Testing

@Suite struct SpecParsingTests {
  private func parse(_ text: String) throws -> CDISpec { try CDISpec(Array(text.utf8), file: "spec") }

  /// The message of the error a text leads to; empty when it is read.
  private func refusal(_ text: String) -> String {
    do throws(YAMLError) {
      _ = try CDISpec(Array(text.utf8), file: "spec")
      return ""
    } catch { return error.summary }
  }

  private let everything = """
    cdiVersion: 1.1.0
    kind: vendor.com/class.x
    annotations: {vendor.com/note: text}
    containerEdits:
      env: [A=1, "B="]
      hooks:
        - {hookName: createContainer, path: /usr/bin/hook, args: [hook, go], env: [C=2], timeout: 5}
      intelRdt: {closID: a, l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=50", schemata: ["L3:0=f"], enableMonitoring: true}
      additionalGids: [0, 44]
      netDevices:
        - {hostInterfaceName: eth1, name: net0}
    devices:
      - name: "0"
        annotations: {plain: value}
        containerEdits:
          deviceNodes:
            - {path: /dev/x, hostPath: /dev/host/x, type: c, major: 195, minor: 3, fileMode: 0660, permissions: rw, uid: 1, gid: 2}
          mounts:
            - {hostPath: /a, containerPath: /b, type: bind, options: [ro, rbind]}
    """

  @Test func everyFieldIsRead() throws {
    let spec = try parse(everything)
    #expect(spec.version == .v1_1)
    #expect(spec.kind.description == "vendor.com/class.x")
    #expect(spec.annotations == ["vendor.com/note": "text"])
    #expect(spec.edits.env == ["A=1", "B="])
    let hook = try #require(spec.edits.hooks.first)
    #expect(hook.hookName == .createContainer && hook.path == "/usr/bin/hook" && hook.args == ["hook", "go"])
    #expect(hook.env == ["C=2"] && hook.timeout == 5)
    #expect(spec.edits.additionalGIDs == [0, 44])
    #expect(spec.edits.netDevices.first?.hostInterfaceName == "eth1")
    #expect(spec.edits.intelRdt?.schemata == ["L3:0=f"])
    #expect(spec.edits.intelRdt?.enableMonitoring == true)
    let device = try #require(spec["0"])
    #expect(device.annotations == ["plain": "value"])
    let node = try #require(device.edits.deviceNodes.first)
    #expect(node.source == "/dev/host/x" && node.type == "c" && node.major == 195 && node.minor == 3)
    // YAML 1.1 reads a leading zero as octal, and so do people who write modes.
    #expect(node.fileMode == 0o660)
    #expect(node.permissions == "rw" && node.uid == 1 && node.gid == 2)
    #expect(device.edits.mounts == [.init(hostPath: "/a", containerPath: "/b", type: "bind", options: ["ro", "rbind"])])
  }

  @Test func whatIsWrittenIsReadAgain() throws {
    let spec = try parse(everything)
    let again = try CDISpec(try CanonicalJSON.encodePretty(spec), file: "again.json")
    #expect(again == spec)
    // A field that is there counts as used, so what is empty is not written.
    let small = CDISpec(kind: spec.kind, devices: [.init(name: "a", edits: spec.edits)])
    #expect(!String(decoding: try CanonicalJSON.encode(small), as: UTF8.self).contains("deviceNodes"))
  }

  @Test func tabsInJSONAreBlanks() throws {
    let spec = try parse(
      "{\n\t\"cdiVersion\": \"0.3.0\",\n\t\"kind\": \"a.b/c\",\n\t\"devices\": [\n\t\t{\"name\": \"d\", \"containerEdits\": {\"env\": [\"A=\\/\"]}}\n\t]\n}\n"
    )
    #expect(spec["d"]?.edits.env == ["A=/"])
  }

  /// What a feature needs at least, and how it stands in a file.
  static let features: [(version: CDIVersion, feature: String)] = [
    (.v0_3, "kind: v/c\ndevices: [{name: a, containerEdits: {env: [A=1]}}]"),
    (.v0_4, "kind: v/c\ndevices: [{name: a, containerEdits: {mounts: [{hostPath: /a, containerPath: /b, type: bind}]}}]"),
    (.v0_5, "kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /dev/a, hostPath: /dev/b}]}}]"),
    (.v0_5, "kind: v/c\ndevices: [{name: \"0\", containerEdits: {env: [A=1]}}]"),
    (.v0_6, "kind: v/c.d\ndevices: [{name: a, containerEdits: {env: [A=1]}}]"),
    (.v0_6, "kind: v/c\nannotations: {a: b}\ndevices: [{name: a, containerEdits: {env: [A=1]}}]"),
    (.v0_6, "kind: v/c\ndevices: [{name: a, annotations: {a: b}, containerEdits: {env: [A=1]}}]"),
    (.v0_7, "kind: v/c\ndevices: [{name: a, containerEdits: {additionalGids: [5]}}]"),
    (.v0_7, "kind: v/c\ncontainerEdits: {intelRdt: {closID: x}}\ndevices: [{name: a, containerEdits: {env: [A=1]}}]"),
    (.v1_1, "kind: v/c\ndevices: [{name: a, containerEdits: {netDevices: [{hostInterfaceName: e, name: n}]}}]"),
    (.v1_1, "kind: v/c\ndevices: [{name: a, containerEdits: {intelRdt: {schemata: [\"L3:0=f\"]}}}]"),
    (.v1_1, "kind: v/c\ndevices: [{name: a, containerEdits: {intelRdt: {enableMonitoring: true}}}]"),
  ]

  @Test(arguments: features) func fieldsNeedTheirVersion(needed: CDIVersion, feature: String) throws {
    for version in CDIVersion.allCases {
      let text = "cdiVersion: \(version.rawValue)\n" + feature
      if version >= needed {
        let spec = try parse(text)
        #expect(spec.requiredVersion == needed)
      } else {
        // What holds a newer field may itself be too new.
        let told = feature.contains("intelRdt") && version < .v0_7 ? CDIVersion.v0_7 : needed
        #expect(refusal(text).contains("needs CDI version \(told.rawValue)"), "\(text)")
      }
    }
  }

  @Test func monitoringBySwitchesEndedWithOneOne() {
    let text = "kind: v/c\ndevices: [{name: a, containerEdits: {intelRdt: {enableCMT: true}}}]"
    #expect(refusal("cdiVersion: 0.7.0\n" + text) == "")
    #expect(refusal("cdiVersion: 1.1.0\n" + text).contains("'enableCMT' is gone"))
  }

  @Test(arguments: ["0.1.0", "0.2.0", "0.9.0", "1.2.0", "v0.5.0", "0.5", "", "latest"]) func otherVersionsAreRefused(version: String) {
    #expect(refusal("cdiVersion: \"\(version)\"\nkind: v/c\ndevices: []").contains("is no version of the CDI specification"))
  }

  @Test(
    arguments: [
      ("kind: v/c\ncolor: red\ndevices: []", "unknown key 'color'"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {environment: []}}]", "unknown key 'environment'"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /dev/a, mode: 1}]}}]", "unknown key 'mode'"),
      ("kind: v/c\ndevices: []", "at least one device"), ("kind: v/c\nannotations: {}", "the key 'devices' is missing"),
      ("kind: nothing\ndevices: []", "expected a kind"), ("kind: v/c/d\ndevices: []", "expected a kind"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {}}]", "changes nothing"),
      ("kind: v/c\ndevices: [{name: -a, containerEdits: {env: [A=1]}}]", "expected a device's name"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {env: [A=1]}}, {name: a, containerEdits: {env: [A=2]}}]", "stands here twice"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {env: [=1]}}]", "expected a variable"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {env: [A]}}]", "expected a variable"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: dev/a}]}}]", "expected an absolute path"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /dev/a, major: -1}]}}]", "expected a whole number"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /dev/a, type: x}]}}]", "expected one of b, c, u and p"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {deviceNodes: [{path: /dev/a, permissions: rx}]}}]", "'none' or letters of 'rwm'"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {hooks: [{hookName: later, path: /x}]}}]", "'later' is none of"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {hooks: [{hookName: poststop, path: x}]}}]", "expected an absolute path"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {hooks: [{hookName: poststop, path: /x, timeout: 0}]}}]", "at least one second"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {mounts: [{hostPath: a, containerPath: /b}]}}]", "expected an absolute path"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {intelRdt: {closID: a/b}}}]", "a name without '/'"),
      ("kind: v/c\nannotations: {\"a/b/c\": d}\ndevices: []", "is not an annotation's name"),
      ("kind: v/c\ndevices: [{name: a, containerEdits: {env: [\"A=\\0\"]}}]", "contains NUL"),
      ("kind: v/c\nkind: v/d\ndevices: []", "twice"),
    ])
  func whatIsAgainstTheRulesIsToldWithItsPlace(text: String, problem: String) {
    let message = refusal("cdiVersion: 1.1.0\n" + text)
    #expect(message.contains(problem), "\(message)")
    #expect(message.hasPrefix("spec:"))
  }

  @Test(
    arguments: [
      ("nvidia.com/gpu=0", true), ("v/c=GPU-1:2.3_4", true), ("nvidia.com/gpu", false), ("=0", false), ("v/c=", false), ("0v/c=a", false),
      ("v/c=-a", false), ("v/c=a-", false), ("v./c=a", false), ("v/c=a b", false), ("v/c=ä", false), ("a/b/c=d", false),
    ])
  func qualifiedNames(text: String, isGood: Bool) {
    #expect((QualifiedDevice(parsing: text)?.description == text) == isGood)
  }
}
