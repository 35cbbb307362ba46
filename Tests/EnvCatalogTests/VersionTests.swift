/// Versions compare as numbers, print as written, and begin with one another only by whole components.
import EnvCore
import Testing

@testable import EnvCatalog

@Suite struct VersionTests {
  @Test func textIsKept() throws {
    for text in ["12.10", "450.80.02", "8.9.0.131", "0", "580"] { #expect(try #require(Version(parsing: text)).description == text) }
    #expect(Version(parsing: "450.80.02") == Version(parsing: "450.80.2"))
    #expect(try #require(Version(parsing: "12.10")) > #require(Version(parsing: "12.9")))
    #expect(try #require(Version(parsing: "580")) < #require(Version(parsing: "580.65.06")))
  }

  @Test(arguments: ["", ".", "1.", ".1", "1..2", "v1", "1.x", "-1", "1,2", "1.2.3.4.5.6.7", "1234567890", "1 ", "١.٢", "1\u{0301}"])
  func refused(_ text: String) { #expect(Version(parsing: text) == nil) }

  @Test func series() throws {
    let version = try #require(Version(parsing: "8.9.0"))
    for prefix in ["8", "8.9", "8.9.0"] { #expect(version.begins(with: try #require(Version(parsing: prefix)))) }
    for other in ["9", "8.8", "8.9.1", "8.9.0.1", "80"] { #expect(!version.begins(with: try #require(Version(parsing: other)))) }
  }

  @Test func releasesInOrder() throws {
    let order = ["2.6.2", "3.0.0b0", "3.0.0b1", "3.0.0b10", "3.0.0rc0", "3.0.0rc1", "3.0.0", "3.0.1"]
    let releases = try order.map { try #require(ReleaseVersion(parsing: $0)) }
    #expect(releases.map(\.description) == order)
    #expect(releases.shuffled().sorted() == releases)
    for text in ["3.0.0b", "3.0.0rc", "3.0.0a1", "3.0.0b01", "03.0.0", "3.0.0b1.2", "3.0.0-b1", "b1", "3.0.0 "] {
      #expect(ReleaseVersion(parsing: text) == nil, "\(text)")
    }
    let final = try #require(ReleaseVersion(parsing: "3.0"))
    #expect(try #require(ReleaseVersion(parsing: "3.0.0")).begins(with: final))
    #expect(!(try #require(ReleaseVersion(parsing: "3.0.0b1")).begins(with: final)))
  }

  @Test func nearerVersionsComeFirst() throws {
    func order(_ from: String, _ others: [String]) throws -> [String] {
      let from = try #require(Version(parsing: from))
      return try others.map { try #require(Version(parsing: $0)) }
        .sorted { from.distance(to: $0, width: 3).lexicographicallyPrecedes(from.distance(to: $1, width: 3)) }.map(\.description)
    }
    #expect(try order("11.8", ["12.3", "11.2", "12.0", "11.7", "13.0", "11.8"]) == ["11.8", "11.7", "11.2", "12.0", "12.3", "13.0"])
    #expect(try order("12.0", ["11.2", "11.8", "12.3"]) == ["12.3", "11.8", "11.2"])
    #expect(try order("2.6.0", ["3.3.0", "3.0.0", "2.5.2", "2.5.0", "2.6.1"]) == ["2.6.1", "2.5.2", "2.5.0", "3.0.0", "3.3.0"])
  }

  @Test func bothDriverMinima() throws {
    func driver(_ text: String) throws -> [String?]? {
      DriverRequirement(cuda: try #require(Version(parsing: text))).map { [$0.floor?.description, $0.shipped?.description] }
    }
    #expect(try driver("11.8") == ["450.80.02", "520.61.05"])
    #expect(try driver("11.8.0") == ["450.80.02", "520.61.05"])
    #expect(try driver("12.0") == ["525.60.13", "525.60.13"])
    #expect(try driver("13.1") == ["580", "590.44.01"])
    #expect(try driver("12.7") == ["525.60.13", nil])
    #expect(try driver("12") == ["525.60.13", nil])
    #expect(try driver("10.2") == nil)
  }
}
