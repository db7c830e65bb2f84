/// A file that can be read as a block device.
public struct NBDExport: Hashable, Sendable {
  /// Its canonical name: what a list of exports has.
  public var name: [UInt8]
  /// What people are told of it; may be empty.
  public var description: String
  /// Bytes in it.
  public var size: UInt64

  /// An export from its parts.
  public init(name: [UInt8], description: String = "", size: UInt64) {
    self.name = name
    self.description = description
    self.size = size
  }
}

/// A line of the list of exports.
public struct NBDListing: Hashable, Sendable {
  /// The name by which it may be asked for.
  public var name: [UInt8]
  /// What people are told of it; may be empty.
  public var description: String

  /// A line from its parts.
  public init(name: [UInt8], description: String = "") {
    self.name = name
    self.description = description
  }
}

/// What a client wants an export for.
public enum NBDPurpose: Hashable, Sendable {
  /// To know what it is like.
  case information
  /// To know which metadata contexts it has, or to choose some.
  case contexts
  /// To read from it.
  case transmission
}

/// What a session's owner says of a name.
public enum NBDExportAnswer: Hashable, Sendable {
  /// There it is.
  case export(NBDExport)
  /// There is none of that name. The text is for people.
  case unknown(String)
  /// There is one, and it is not given out. The text is for people.
  case refused(String)
}

/// What can be asked about ranges of an export. Section "Metadata querying".
enum NBDContext: UInt32, CaseIterable, Sendable {
  /// `base:allocation`: bit 0 for holes, bit 1 for zeros.
  case allocation = 1
  /// `x-swarm:present`: bit 0 where the bytes are here and verified, so that a read waits for no
  /// peer; 0 claims nothing. `x-` because only registered namespaces may go without it.
  case present = 2

  /// The whole name, the namespace with its colon first.
  var name: String {
    switch self {
    case .allocation: "base:allocation"
    case .present: "x-swarm:present"
    }
  }

  /// The namespace and its colon.
  var wildcard: String {
    switch self {
    case .allocation: "base:"
    case .present: "x-swarm:"
    }
  }

  /// What is told of a run.
  func flags(_ run: NBDRun) -> UInt32 {
    switch self {
    case .allocation: run.isZero ? 0b11 : 0
    case .present: run.isHere ? 1 : 0
    }
  }
}

/// A run of bytes of an export of which the same is known.
public struct NBDRun: Hashable, Sendable {
  /// How many bytes.
  public var length: UInt64
  /// Whether they are here and verified.
  public var isHere: Bool
  /// Whether they are known to be zeros, here or not.
  public var isZero: Bool

  /// A run from its parts.
  public init(length: UInt64, isHere: Bool, isZero: Bool = false) {
    self.length = length
    self.isHere = isHere
    self.isZero = isZero
  }
}
