/// Rules that hold the dependency picture of ARCHITECTURE.md.
enum BoundaryRules {
  /// What a target of ours may import. Pure targets may import nothing else at all; the shell may
  /// import any system module besides.
  static let allowedImports: [String: Set<String>] = [
    "Metainfo": ["CHash", "CSodium"],
    "Wire": ["Metainfo", "CSeal", "CSodium", "CZstd"],
    "Store": ["Metainfo", "CHash"],
    "Discovery": ["Metainfo", "Wire"],
    "Swarm": ["Metainfo", "Wire", "Store", "Discovery"],
    "SwarmNode": [
      "Metainfo", "Wire", "Store", "Discovery", "Swarm", "CUV", "CHash", "CGuard", "CSodium",
      "CMicroHTTPD", "CMiniUPnPc", "CNATPMP",
    ],
    "SwarmTool": ["Metainfo", "Wire", "Store", "Discovery", "Swarm", "SwarmNode", "CGuard"],
  ]

  /// Targets with no clock, no I/O, no thread and no ambient randomness.
  static let pureTargets: Set<String> = ["Metainfo", "Wire", "Store", "Discovery", "Swarm"]

  /// Where numbers become indices; everywhere else an index comes from a geometry or a shape.
  static let mints: [String: [String]] = [
    "FileIndex": ["Sources/Metainfo/Geometry/"],
    "PieceIndex": ["Sources/Metainfo/Geometry/"],
    "BlockIndex": ["Sources/Metainfo/Geometry/"],
    "FilePieceIndex": ["Sources/Store/Merkle/"],
    "LeafIndex": ["Sources/Metainfo/Geometry/", "Sources/Store/Merkle/"],
  ]

  /// Clocks, tasks and hashes with the process's seed, which pure code must not name.
  static let impureTokens = [
    "ContinuousClock", "SuspendingClock", "DispatchTime", "Date(", "SystemRandomNumberGenerator",
    "async", "await", "Task {", "Task(", "Task.", "Hasher(", "hashValue",
  ]

  /// Calls that draw from the system's generator unless one is passed.
  static let randomCalls = [".random(", ".randomElement(", ".shuffled(", ".shuffle("]

  /// No module but those of the table in pure targets; none against the direction elsewhere.
  static func imports(_ files: [SourceFile]) -> [Finding] {
    let ours = allowedImports.values.reduce(Set(allowedImports.keys)) { $0.union($1) }
    return files.filter(\.isSwift).flatMap { file -> [Finding] in
      guard let target = file.sourceTarget else { return [] }
      guard let allowed = allowedImports[target] else {
        return [Finding(path: file.path, message: "\(target) is not in the table of imports")]
      }
      let isPure = pureTargets.contains(target)
      return file.code.imports.compactMap { module, line in
        guard !allowed.contains(module), isPure || ours.contains(module) else { return nil }
        return Finding(path: file.path, line: line, message: "\(target) may not import \(module)")
      }
    }
  }

  /// No clock, task or ambient randomness in pure targets.
  static func purity(_ files: [SourceFile]) -> [Finding] {
    files.filter { $0.isSwift && pureTargets.contains($0.sourceTarget ?? "") }.flatMap { file in
      let code = file.code
      let tokens = impureTokens.flatMap { token in
        code.places(of: token).map {
          Finding(path: file.path, line: code.line(of: $0), message: "\(token) in a pure target")
        }
      }
      let draws = randomCalls.flatMap { call in
        code.places(of: call).filter { !code.arguments(at: $0).contains("using:") }.map {
          Finding(
            path: file.path, line: code.line(of: $0),
            message: "\(call) without a generator passed in")
        }
      }
      return tokens + draws
    }
  }

  /// Indices are made from numbers only where the table says.
  static func minting(_ files: [SourceFile]) -> [Finding] {
    files.filter { $0.isSwift && $0.sourceTarget != nil }.flatMap { file in
      let code = file.code
      return mints.sorted { $0.key < $1.key }.flatMap { index, places -> [Finding] in
        if places.contains(where: file.path.hasPrefix) { return [] }
        return (code.places(of: "\(index)(") + code.places(of: "\(index).init")).map {
          Finding(path: file.path, line: code.line(of: $0), message: "\(index) made here")
        }
      }
    }
  }

  /// Our own code has no way to stop the node on what came from outside.
  static func traps(_ files: [SourceFile]) -> [Finding] {
    files.filter { $0.isSwift && $0.sourceTarget != nil }.flatMap { file in
      let code = file.code
      return ["try!", "as!", "fatalError("].flatMap { token in
        code.places(of: token).map {
          Finding(path: file.path, line: code.line(of: $0), message: "\(token) in Sources")
        }
      }
    }
  }
}
