// swift-tools-version: 6.2
// The floors of envctl. A module may import only modules of the floors below it; a test holds this file to that.

import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error), .enableUpcomingFeature("ExistentialAny")]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// A module of the floor plan together with its test target, when the test folder exists.
func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// - Parameter exclude: Files and folders beside the sources that are no sources.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: [.init(stringLiteral: name)] + dependencies, exclude: exclude, swiftSettings: strict)
}

func library(_ name: String, pkgConfig: String, apt: String) -> Target {
  .systemLibrary(name: name, path: "Sources/" + name, pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// F0: the core vocabulary, and the C libraries as they are.
let floor0: [Target] = [
  module("EnvCore"),
  .target(name: "CLinux"),
  .target(name: "CLibCurl"),
  library("CLibCrypto", pkgConfig: "libcrypto", apt: "libssl-dev"),
  // A debug build would make this the slowest part of a pull: the instructions of its inner loop are functions there.
  .target(name: "CSHA256", cSettings: [.unsafeFlags(["-O2"])], linkerSettings: [.linkedLibrary("crypto")]),
  .target(name: "CLibArchive"),
  library("CISAL", pkgConfig: "libisal", apt: "libisal-dev"),
  library("CZstd", pkgConfig: "libzstd", apt: "libzstd-dev"),
  library("CYAML", pkgConfig: "yaml-0.1", apt: "libyaml-dev"),
]

/// F1: value types of the OCI specifications, and thin wrappers of C libraries and system calls.
let floor1: [Target] = [
  module("OCI", ["EnvCore"]),
  module("HTTP", ["EnvCore", "CLibCurl"]),
  module("HTTPServer", ["EnvCore"]),
  module("Hashing", ["EnvCore", "CSHA256"]),
  module("Signing", ["EnvCore", "CLibCrypto"]),
  module("Archive", ["EnvCore", "CLibArchive"]),
  module("Compression", ["EnvCore", "CISAL", "CZstd"]),
  module("SafeFS", ["EnvCore", "CLinux", system]),
  module("StrictYAML", ["EnvCore", "CYAML"]),
  module("ChildProcess", ["EnvCore", "CLinux", system]),
]

/// F2: registries, content-addressed storage, the catalog of pinned environments, and device specifications.
let floor2: [Target] = [
  module("EnvRegistry", ["EnvCore", "OCI", "HTTP", "Hashing", "SafeFS", "ChildProcess", system]),
  module("EnvStore", ["EnvCore", "OCI", "Hashing", "Archive", "Compression", "SafeFS", system]),
  module("EnvCatalog", ["EnvCore", "OCI", "StrictYAML", "Hashing", "SafeFS", system]),
  module("CDI", ["EnvCore", "StrictYAML", "SafeFS", system]),
]

/// F3: what is made from them: images from recipes, bundles for a runtime.
let floor3: [Target] = [
  module(
    "EnvImage",
    ["EnvCore", "OCI", "HTTP", "Hashing", "Archive", "SafeFS", "StrictYAML", "ChildProcess", "EnvStore", "EnvCatalog", system]),
  module("EnvBundle", ["EnvCore", "OCI", "SafeFS", "EnvStore", "EnvCatalog", "CDI", system]),
  module("EnvGPU", ["EnvCore", "SafeFS", "EnvCatalog", "CDI", system]),
  module("EnvTrust", ["EnvCore", "OCI", "Hashing", "Signing", "SafeFS", "StrictYAML", "EnvCatalog", system]),
  module("EnvPolicy", ["EnvCore", "OCI", "StrictYAML", "Hashing", "SafeFS", system]),
  module("EnvModels", ["EnvCore", "HTTP", "Archive", "Compression", "SafeFS", "EnvStore", "EnvCatalog", system]),
]

/// F4: running containers, and judging what they computed.
let floor4: [Target] = [
  module(
    "EnvLaunch",
    ["EnvCore", "OCI", "Hashing", "SafeFS", "ChildProcess", "CLinux", "CDI", "EnvStore", "EnvCatalog", "EnvBundle", system]),
  module("EnvDrift", ["EnvCore", "Hashing"]),
  module("EnvHost", ["EnvCore", "SafeFS", "ChildProcess", "CDI", "EnvCatalog", "EnvBundle", "EnvGPU", system]),
]

/// F5: the order of stages, and the forms in which results leave the program.
let floor5: [Target] = [
  module(
    "EnvFlow",
    [
      "EnvCore", "OCI", "Hashing", "SafeFS", "ChildProcess", "EnvRegistry", "EnvStore", "EnvCatalog", "EnvImage", "EnvBundle", "EnvGPU",
      "CDI",
      "EnvTrust", "EnvPolicy", "EnvModels", "EnvLaunch", "EnvDrift", system,
    ]),
  module("EnvReport", ["EnvCore", "EnvDrift", "EnvPolicy"]),
]

/// F6: the command line.
let floor6: [Target] = [
  .executableTarget(
    name: "envctl",
    dependencies: [
      "EnvCore", "OCI", "HTTPServer", "SafeFS", "ChildProcess", "EnvRegistry", "EnvStore", "EnvCatalog", "EnvImage", "EnvBundle", "EnvGPU",
      "CDI", "EnvTrust",
      "EnvLaunch", "EnvHost", "EnvDrift", "EnvFlow", "EnvPolicy", "EnvModels", "EnvReport", argumentParser, system,
    ],
    swiftSettings: strict)
]

let testTargets: [Target] = [
  .target(
    name: "TestSupport", dependencies: ["EnvCore", "Archive", "ChildProcess", "CLinux", "SafeFS", system], path: "Tests/TestSupport",
    swiftSettings: strict),
  tests("EnvCore", []),
  tests("SafeFS", ["EnvCore", "TestSupport", system]),
  tests("Hashing", ["EnvCore", "TestSupport"]),
  tests("Signing", ["EnvCore", "SafeFS", "TestSupport", system]),
  tests("Archive", ["EnvCore", "Hashing", "SafeFS", "TestSupport", system]),
  tests("Compression", ["EnvCore", "SafeFS", "TestSupport", system]),
  tests("StrictYAML", ["EnvCore"]),
  tests("EnvStore", ["EnvCore", "Archive", "OCI", "Hashing", "SafeFS", "TestSupport", system]),
  tests("EnvCatalog", ["EnvCore", "OCI", "SafeFS", "StrictYAML", "TestSupport", system]),
  .testTarget(name: "LayeringTests", dependencies: ["EnvCore", "SafeFS", "TestSupport", system], swiftSettings: strict),
  .target(name: "LoopbackHTTP", dependencies: ["EnvCore"], path: "Tests/LoopbackHTTP", swiftSettings: strict),
  .target(
    name: "RegistryHarness",
    dependencies: ["EnvCore", "CLinux", "OCI", "Hashing", "SafeFS", "ChildProcess", "LoopbackHTTP", "TestSupport", system],
    path: "Tests/RegistryHarness", swiftSettings: strict),
  .executableTarget(
    name: "launch-driver",
    dependencies: ["EnvCore", "SafeFS", "ChildProcess", "EnvBundle", "EnvCatalog", "EnvStore", "CDI", "EnvLaunch", system],
    path: "Tests/LaunchDriver", swiftSettings: strict),
  tests("HTTP", ["EnvCore", "LoopbackHTTP"]),
  tests("HTTPServer", ["EnvCore"]),
  tests("ChildProcess", ["EnvCore", system]),
  tests(
    "EnvRegistry",
    ["EnvCore", "OCI", "HTTP", "Hashing", "SafeFS", "ChildProcess", "LoopbackHTTP", "RegistryHarness", "TestSupport", system]),
  tests(
    "EnvImage",
    [
      "EnvCore", "Archive", "OCI", "Hashing", "HTTP", "SafeFS", "StrictYAML", "ChildProcess", "EnvStore", "LoopbackHTTP", "TestSupport",
      system,
    ]),
  tests("EnvBundle", ["EnvCore", "OCI", "CDI", "EnvCatalog", "SafeFS", "TestSupport", system]),
  tests("CDI", ["EnvCore", "SafeFS", "StrictYAML", "TestSupport", system]),
  tests("EnvGPU", ["EnvCore", "CDI", "EnvCatalog", "SafeFS", "TestSupport", system], exclude: ["Fixtures"]),
  tests("EnvTrust", ["EnvCore", "OCI", "Hashing", "Signing", "SafeFS", "StrictYAML", "EnvCatalog", "TestSupport", system]),
  tests("EnvLaunch", ["EnvCore", "OCI", "Hashing", "SafeFS", "ChildProcess", "EnvBundle", "CDI", "TestSupport", "launch-driver", system]),
  tests("EnvDrift", ["EnvCore", "Hashing", "TestSupport", system]),
  tests("EnvHost", ["EnvCore", "EnvBundle", "EnvCatalog", "SafeFS", "TestSupport", system]),
  tests("EnvPolicy", ["EnvCore", "OCI", "SafeFS", "StrictYAML", "TestSupport", system]),
  tests(
    "EnvModels",
    [
      "EnvCore", "Archive", "Compression", "EnvCatalog", "EnvStore", "Hashing", "HTTP", "LoopbackHTTP", "SafeFS", "TestSupport", system,
    ]),
  tests("EnvReport", ["EnvCore", "EnvDrift", "EnvPolicy", "SafeFS", "TestSupport", system]),
  .testTarget(
    name: "EnvctlTests",
    dependencies: [
      "EnvCore", "Archive", "OCI", "Hashing", "SafeFS", "ChildProcess", "EnvRegistry", "EnvStore", "LoopbackHTTP", "RegistryHarness",
      "TestSupport", system,
    ],
    swiftSettings: strict),
]

let package = Package(
  name: "envctl",
  products: [.executable(name: "envctl", targets: ["envctl"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
    .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
  ],
  targets: floor0 + floor1 + floor2 + floor3 + floor4 + floor5 + floor6 + testTargets
)
