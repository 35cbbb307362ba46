import Testing

/// Subordinate ids and the maps made of them.
@testable import EnvLaunch

@Suite struct IDMappingTests {
  private let file = Array(
    """
    # people
    ann:100000:65536
    bob:165536:65536
    1000:300000:10
    ann:400000:x
    ann:4294967295:2
    ann:1:2:3
    ann:500000:0
    """.utf8)

  @Test func rangesOfAUserByNameAndNumber() {
    let ranges = SubordinateRange.parse(file, name: "ann", id: 1000)
    #expect(ranges == [SubordinateRange(first: 100_000, count: 65_536), SubordinateRange(first: 300_000, count: 10)])
    #expect(SubordinateRange.parse(file, name: nil, id: 7).isEmpty)
    #expect(SubordinateRange.parse([], name: "ann", id: 1000).isEmpty)
  }

  @Test func rootInsideIsTheUserAndTheRestFollows() {
    let mapping = IDMapping(
      user: 1000, subordinate: [SubordinateRange(first: 100_000, count: 65_536), SubordinateRange(first: 300_000, count: 10)])
    #expect(mapping.arguments == ["0", "1000", "1", "1", "100000", "65536", "65537", "300000", "10"])
    #expect(mapping.text == "0 1000 1\n1 100000 65536\n65537 300000 10\n")
    #expect(IDMapping.isRoot(1000, in: mapping.text))
    #expect(!IDMapping.isRoot(1001, in: mapping.text))
    #expect(IDMapping(user: 1000, subordinate: []).arguments == ["0", "1000", "1"])
  }

  @Test func aRangeThatHoldsTheUserIsLeftOut() {
    let mapping = IDMapping(user: 1000, subordinate: [SubordinateRange(first: 900, count: 200), SubordinateRange(first: 5000, count: 5)])
    #expect(mapping.arguments == ["0", "1000", "1", "1", "5000", "5"])
  }

  @Test func theWarningNamesTheMend() {
    let missing = MissingIDs.noRange(file: "/etc/subuid", user: "ann")
    #expect(missing.warning.contains("/etc/subuid has no range for ann"))
    #expect(missing.warning.contains("usermod --add-subuids"))
    let notSetuid = MissingIDs.refused(program: "/usr/bin/newuidmap", message: "no", isPrivileged: false)
    #expect(notSetuid.warning.contains("chmod u+s /usr/bin/newuidmap"))
    let off = RootlessProblem.refused(.noSpace, switches: ["user.max_user_namespaces = 0"])
    #expect(off.summary.contains("user.max_user_namespaces = 0") && off.hint.contains("sysctl user.max_user_namespaces"))
  }
}
