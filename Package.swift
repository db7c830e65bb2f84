// swift-tools-version: 6.2
import PackageDescription

// The dependency picture, one way only (ARCHITECTURE.md, "The house"):
//   Metainfo ← Wire ← Discovery ← Swarm ← SwarmNode ← SwarmTool, and Metainfo ← Store ← Swarm
// Everything left of SwarmNode is pure: Tests/HouseTests holds the line.

#if arch(x86_64)
  let multiBufferLibrary: [LinkerSetting] = [.linkedLibrary("IPSec_MB")]
  let multiBufferTarget: [Target] = [
    .systemLibrary(name: "CIPSecMB", providers: [.apt(["libipsec-mb-dev"])])
  ]
  let multiBufferDependency: [Target.Dependency] = ["CIPSecMB"]
#else
  let multiBufferLibrary: [LinkerSetting] = []
  let multiBufferTarget: [Target] = []
  let multiBufferDependency: [Target.Dependency] = []
#endif

// Only for Tests/Fuzz/fuzz.sh: libFuzzer brings its own main, which no other build has.
let fuzzDriver: [Target] =
  Context.environment["SWARM_FUZZ"] == nil
  ? []
  : [
    .executableTarget(
      name: "Fuzz", dependencies: ["FuzzBodies"], path: "Tests/Fuzz/Driver",
      swiftSettings: [.unsafeFlags(["-parse-as-library"])])
  ]

let package = Package(
  name: "SwarmNode",
  products: [
    .executable(name: "swarm", targets: ["SwarmTool"]),
    .executable(name: "swarm-bench", targets: ["SwarmBench"]),
    .executable(name: "swarm-sim", targets: ["SwarmSimulator"]),
    .executable(name: "swarm-map", targets: ["SwarmMap"]),
    .executable(name: "swarm-lan", targets: ["SwarmLAN"]),
    .executable(name: "swarm-dht", targets: ["SwarmDHT"]),
    .library(name: "Metainfo", targets: ["Metainfo"]),
    .library(name: "Wire", targets: ["Wire"]),
    .library(name: "Store", targets: ["Store"]),
    .library(name: "Discovery", targets: ["Discovery"]),
    .library(name: "Swarm", targets: ["Swarm"]),
    .library(name: "SwarmNode", targets: ["SwarmNode"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    // Libraries that others wrote.
    .systemLibrary(name: "CUV", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(
      name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(
      name: "CMiniUPnPc", pkgConfig: "miniupnpc", providers: [.apt(["libminiupnpc-dev"])]),
    .systemLibrary(
      name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    // Thin shims in C.
    .target(
      name: "CHash", dependencies: ["CCrypto"] + multiBufferDependency,
      linkerSettings: multiBufferLibrary),
    .target(name: "CSeal", dependencies: ["CCrypto"]),
    .target(name: "CGuard"),
    .target(name: "CNATPMP", linkerSettings: [.linkedLibrary("natpmp")]),
    // The pure house.
    .target(name: "Metainfo", dependencies: ["CHash", "CSodium"]),
    .target(name: "Wire", dependencies: ["Metainfo", "CSeal", "CSodium", "CZstd"]),
    .target(name: "Store", dependencies: ["Metainfo", "CHash"]),
    .target(name: "Discovery", dependencies: ["Metainfo", "Wire"]),
    .target(name: "Swarm", dependencies: ["Metainfo", "Wire", "Store", "Discovery"]),
    // The impure shell.
    .target(
      name: "SwarmNode",
      dependencies: [
        "Metainfo", "Wire", "Store", "Discovery", "Swarm", "CUV", "CHash", "CGuard", "CSodium",
        "CMicroHTTPD", "CMiniUPnPc", "CNATPMP",
      ]),
    .executableTarget(
      name: "SwarmTool",
      dependencies: [
        "Metainfo", "Wire", "Store", "Swarm", "SwarmNode",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    // Figures that make bench compares with.
    .executableTarget(
      name: "SwarmBench",
      dependencies: ["Metainfo", "Wire", "Store", "Discovery", "Swarm", "SwarmNode"],
      path: "Benchmarks/SwarmBench"
    ),
    // Maps ports and nothing else, for interop/miniupnpd.
    .executableTarget(
      name: "SwarmMap", dependencies: ["Discovery", "SwarmNode"],
      path: "interop/miniupnpd/Program"),
    // Local discovery alone, which interop/ tries against others'.
    .executableTarget(
      name: "SwarmLAN", dependencies: ["Metainfo", "Wire", "SwarmNode"],
      path: "Tests/LocalNetwork"),
    // A node of the DHT and nothing else, for interop/libtorrent.
    .executableTarget(
      name: "SwarmDHT", dependencies: ["Discovery", "Metainfo", "Wire", "SwarmNode"],
      path: "interop/libtorrent/Program"),
    // Tests.
    .target(name: "TestSupport", path: "Tests/Support"),
    .testTarget(name: "MetainfoTests", dependencies: ["Metainfo", "TestSupport"]),
    .testTarget(
      name: "WireTests", dependencies: ["Wire", "Metainfo", "CSodium", "CZstd", "TestSupport"]),
    .testTarget(
      name: "DiscoveryTests", dependencies: ["Discovery", "Wire", "Metainfo", "TestSupport"]),
    .testTarget(name: "StoreTests", dependencies: ["Store", "Metainfo", "TestSupport"]),
    .testTarget(
      name: "SwarmTests", dependencies: ["Swarm", "Wire", "Store", "Metainfo", "TestSupport"]),
    .testTarget(
      name: "SwarmNodeTests",
      dependencies: ["SwarmNode", "Swarm", "Store", "Wire", "Metainfo", "CGuard", "TestSupport"]),
    .testTarget(name: "SwarmToolTests", dependencies: ["SwarmTool"]),
    .testTarget(name: "HouseTests"),
    // What the fuzzers run, and a test that runs it over their corpora.
    .target(
      name: "FuzzBodies", dependencies: ["Metainfo", "Wire", "Store", "Discovery", "Swarm"],
      path: "Tests/Fuzz/Bodies"),
    .testTarget(name: "FuzzTests", dependencies: ["FuzzBodies"], path: "Tests/Fuzz/Replay"),
    // A swarm in which all may fail: make sim, and make check.
    .target(
      name: "Simulator", dependencies: ["Swarm", "Wire", "Store", "Metainfo", "TestSupport"],
      path: "Tests/Simulator/World"),
    .target(
      name: "DHTSimulator", dependencies: ["Discovery", "Wire", "Metainfo", "TestSupport"],
      path: "Tests/Simulator/DHT"),
    .executableTarget(
      name: "SwarmSimulator", dependencies: ["Simulator", "DHTSimulator"],
      path: "Tests/Simulator/Run"),
    .testTarget(
      name: "SimulatorTests",
      dependencies: [
        "Simulator", "DHTSimulator", "Swarm", "Wire", "Store", "Metainfo", "TestSupport",
      ],
      path: "Tests/Simulator/Tests"),
  ] + multiBufferTarget + fuzzDriver,
  swiftLanguageModes: [.v6]
)
