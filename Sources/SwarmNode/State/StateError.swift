import Metainfo

/// Why a dataset's folder cannot be used.
public enum StateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process takes part in the dataset: its number, if it is known, and the lock.
  case inUse(process: Int?, lock: [UInt8])
  /// The content of another dataset lies at the path, in it, or around it: that of the infohash.
  case placeTaken(path: [UInt8], by: String)
  /// A system call failed.
  case system(SystemError)

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .inUse(let process, let lock):
      "another swarm" + (process.map { ", process \($0)," } ?? "")
        + " takes part in this dataset (\(printable(lock))); stop it first, or give this one "
        + "another --state"
    case .placeTaken(let path, let infohash):
      "\(printable(path)) has the content of another dataset (infohash \(infohash)), which would be "
        + "overwritten; name another folder behind the link"
    case .system(let error): error.description
    }
  }
}
