/// The grammar of `NVIDIA_REQUIRE_*`, and what names of GPUs tell.
import EnvCatalog
import EnvCore
import Testing

@testable import EnvGPU

@Suite struct RequirementTests {
  /// A host of 2022: driver 470.82.01, which brings CUDA 11.4, with a Tesla V100.
  private let older = GPUProperties(
    cuda: Version(parsing: "11.4"), driver: Version(parsing: "470.82.01"), arch: Version(parsing: "7.0"), brands: ["tesla", "nvidia"])

  private func holds(_ text: String, _ properties: GPUProperties) throws -> Truth {
    try Requirement(variable: "NVIDIA_REQUIRE_CUDA", value: text).holds(for: properties)
  }

  @Test(
    arguments: [
      ("cuda>=11.4", Truth.yes), ("cuda>=11.8", .no), ("cuda>11.4", .no), ("cuda=11.4", .yes), ("cuda=11.4.0", .yes), ("cuda!=11.4", .no),
      ("cuda<12", .yes), ("cuda<=11.4", .yes), ("driver>=470", .yes), ("driver<471", .yes), ("driver<470.82", .no),
      ("driver>=470.82.01", .yes), ("arch>=8.0", .no), ("arch<8", .yes), ("brand=tesla", .yes), ("brand=nvidia", .yes),
      ("brand=geforce", .no), ("brand!=tesla", .no), ("brand!=geforce", .yes),
      // A comma binds: both have to hold. A space offers another way.
      ("cuda>=11.4,driver>=470", .yes), ("cuda>=11.4,driver>=500", .no), ("cuda>=12.0 driver>=470", .yes), ("cuda>=12.0 driver>=500", .no),
      ("cuda>=12.0 brand=tesla,driver>=470,driver<471", .yes), ("cuda>=12.0 brand=geforce,driver>=470,driver<471", .no),
      // What no program knows is passed over.
      ("color=red", .no), ("color=red,cuda>=11.0", .yes), ("color=red cuda>=12.0", .no),
    ])
  func conditions(text: String, expected: Truth) throws {
    // An expression of nothing known has no alternative to hold; such variables are left out by `all(in:)`.
    #expect(try holds(text, older) == expected)
  }

  @Test func whatIsNotKnownDecidesOnlyWhereItMatters() throws {
    let bare = GPUProperties(cuda: Version(parsing: "12.4"), driver: Version(parsing: "550.54.14"))
    #expect(try holds("arch>=7.0", bare) == .unknown)
    #expect(try holds("arch>=7.0,cuda>=13.0", bare) == .no)
    #expect(try holds("arch>=7.0 cuda>=12.0", bare) == .yes)
    #expect(try holds("brand=tesla cuda>=13.0", bare) == .unknown)
  }

  @Test(arguments: ["cuda", "cuda>=", "cuda>=eleven", "brand=", "cuda~11", "driver>=470,nonsense"])
  func whatIsNoConditionIsAnError(text: String) {
    #expect(throws: GPUError.self) { try Requirement(variable: "NVIDIA_REQUIRE_CUDA", value: text) }
  }

  @Test func variablesOfAnImage() throws {
    let variables = [
      "NVIDIA_REQUIRE_CUDA": "cuda>=11.8", "NVIDIA_REQUIRE_DRIVER": "driver>=450", "NVIDIA_REQUIRE_JETPACK": "csv-mounts=all",
      "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS": "base-only", "NVIDIA_REQUIRE_NOTHING": "color=red", "NVIDIA_VISIBLE_DEVICES": "all",
    ]
    #expect(try Requirement.all(in: variables).map(\.variable) == ["NVIDIA_REQUIRE_CUDA", "NVIDIA_REQUIRE_DRIVER"])
    #expect(try Requirement.all(in: variables.merging(["NVIDIA_DISABLE_REQUIRE": "true"]) { $1 }).isEmpty)
    #expect(try Requirement.all(in: variables.merging(["NVIDIA_DISABLE_REQUIRE": "0"]) { $1 }).count == 2)
  }

  @Test func theConditionNamedIsTheOneAboutThisHost() throws {
    let requirement = try Requirement(
      variable: "NVIDIA_REQUIRE_CUDA", value: "cuda>=12.2 brand=geforce,driver>=525,driver<526 brand=tesla,driver>=525,driver<526")
    #expect(requirement.failing(for: older)?.text == "driver>=525")
    let simple = try Requirement(variable: "NVIDIA_REQUIRE_CUDA", value: "cuda>=12.2")
    #expect(simple.failing(for: older)?.text == "cuda>=12.2")
  }

  @Test(
    arguments: [
      ("NVIDIA A100-SXM4-80GB", "8.0", "tesla"), ("Tesla V100-SXM2-16GB", "7.0", "tesla"), ("Tesla T4", "7.5", "nvidia"),
      ("NVIDIA H200", "9.0", "nvidia"), ("NVIDIA GeForce RTX 4090", "8.9", "geforcertx"), ("GeForce GTX 1080 Ti", "6.1", "geforce"),
      ("NVIDIA GeForce RTX 5090", "12.0", "geforce"), ("NVIDIA RTX A6000", "8.6", "nvidiartx"),
      ("NVIDIA RTX 6000 Ada Generation", "8.9", "nvidiartx"), ("Quadro RTX 6000", "7.5", "quadrortx"), ("TITAN V", "7.0", "titan"),
      ("NVIDIA TITAN RTX", "7.5", "titanrtx"), ("NVIDIA L40S", "8.9", "nvidia"), ("NVIDIA A10G", "8.6", "nvidia"),
      ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "12.0", "nvidiartx"), ("Something New", nil, "nvidia"),
    ] as [(String, String?, String)])
  func models(name: String, capability: String?, brand: String) {
    #expect(GPUModel(name).computeCapability?.description == capability)
    #expect(GPUModel(name).brands.contains(brand))
  }

  @Test(
    arguments: [
      ("450.51.05", "11.0"), ("470.82.01", "11.4"), ("535.104.05", "12.2"), ("550.54.14", "12.4"), ("565.57.01", "12.6"), ("450.40", nil),
      ("999.1", "13.1"),
    ] as [(String, String?)])
  func cudaOfADriver(driver: String, cuda: String?) throws {
    #expect(DriverRequirement.newestCUDA(driver: try #require(Version(parsing: driver)))?.description == cuda)
  }
}
