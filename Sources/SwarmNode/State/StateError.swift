import Metainfo

/// Why a dataset's folder cannot be used.
public enum StateError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another process takes part in the dataset: its number, if it is known, and the lock.
  case inUse(process: Int?, lock: [UInt8])
  /// The content of another dataset lies at the path, in it, or around it: that of the infohash.
  case placeTaken(path: [UInt8], by: String)
  /// The newest version of another dataset is found by that path.
  case nameTaken(path: [UInt8], by: String)
  /// A newer program has written the state folder: in this format.
  case newer(folder: [UInt8], format: String)
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
        + "overwritten; name another folder after the link"
    case .nameTaken(let path, let key):
      "\(printable(path)) leads to the versions of another dataset (key \(key)); name another folder after "
        + "the link"
    case .newer(let folder, let format)
    where format.isEmpty || !format.utf8.allSatisfy({ (0x30...0x39).contains($0) }):
      "the state folder \(printable(folder)) cannot be used: its file \"format\" is damaged, and says \"\(format)\" "
        + "instead of \(StateFolder.format); mend it, or name another folder by --state"
    case .newer(let folder, let format):
      "the state folder \(printable(folder)) is of a newer swarm (format \(format), and this one reads up to "
        + "\(StateFolder.format)): use that program, or another folder by --state"
    case .system(let error): error.description
    }
  }
}
