import SafeFS
import Testing

@Suite struct OwnerIDsTests {
  @Test(
    arguments: [
      ("         0          0 4294967295\n", OwnerIDs.all), ("0 1000 1\n", .single), ("0 1000 1\n1 100000 65536\n", .range),
      ("0 100000 65536\n", .range),
    ])
  func theMapTellsWhichIDsThereAre(map: String, expected: OwnerIDs) { #expect(OwnerIDs(map: map) == expected) }
}
