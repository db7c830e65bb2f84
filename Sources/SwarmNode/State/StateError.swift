import Metainfo

/// Why a dataset's folder cannot be used.
public enum StateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process takes part in the dataset: its number, if it is known, and the lock.
  case inUse(process: Int?, lock: [UInt8])
  /// A system call failed.
  case system(SystemError)

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .inUse(let process, let lock):
      "another swarm" + (process.map { ", process \($0)," } ?? "")
        + " takes part in this dataset (\(printable(lock))); stop it first, or give this one "
        + "another --state"
    case .system(let error): error.description
    }
  }
}
