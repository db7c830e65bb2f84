import Metainfo
import Synchronization

/// An open file that several operations use at once; closed when the last one has ended.
final class SharedFile: Sendable {
  let file: OpenFile
  let isWritable: Bool

  init(_ file: consuming OpenFile, isWritable: Bool) {
    self.file = file
    self.isWritable = isWritable
  }
}

/// Files held open because they were used lately, at most `DiskLimits.openFiles`.
final class FileCache: Sendable {
  private struct Entry {
    let file: SharedFile
    var lastUse: UInt64
  }

  private struct State {
    var entries: [FileIndex: Entry] = [:]
    var uses: UInt64 = 0
  }

  private let state = Mutex(State())

  /// How many files are held open.
  var count: Int { state.withLock { $0.entries.count } }

  /// The file, if it is held open and good for what it is wanted for.
  func find(_ index: FileIndex, toWrite: Bool) -> SharedFile? {
    state.withLock { state in
      guard let entry = state.entries[index], entry.file.isWritable || !toWrite else { return nil }
      state.uses += 1
      state.entries[index]?.lastUse = state.uses
      return entry.file
    }
  }

  /// Holds the file open, in place of what was held for it before; lets the one go that was not used
  /// for longest if there are too many.
  func insert(_ file: SharedFile, for index: FileIndex) {
    state.withLock { state in
      state.uses += 1
      state.entries[index] = Entry(file: file, lastUse: state.uses)
      guard state.entries.count > DiskLimits.openFiles else { return }
      if let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
        state.entries[oldest.key] = nil
      }
    }
  }

  /// Lets all files go.
  func removeAll() { state.withLock { $0.entries = [:] } }

  /// Lets the file go.
  func remove(_ index: FileIndex) { state.withLock { $0.entries[index] = nil } }
}
