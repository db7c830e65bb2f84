import Glibc
import Metainfo

/// Which way of remembering things the folder has.
extension StateFolder {
  /// The format that this program writes, and the newest that it reads. It is raised when an older program
  /// would misread the folder, and not for what that would merely not know of.
  public static let format: UInt64 = 1

  /// Where it is said: digits and a line end.
  private var formatFile: [UInt8] { path.appending(path: Array("format".utf8)) }

  /// Says in a new folder which format it has, and refuses one of a newer format: nothing in it is read or
  /// written then. A folder that says nothing is of format 1.
  func settleFormat() throws(StateError) {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(formatFile, limit: StateLimits.formatBytes)
    } catch {
      guard error.number == ENOENT else { throw .system(error) }
      // In a folder that can only be read nothing will be written either.
      try? WholeFile.write(Array("\(Self.format)\n".utf8), to: formatFile)
      return
    }
    let text = bytes.filter { $0 > UInt8(ascii: " ") }
    let number = UInt64(String(decoding: text, as: UTF8.self))
    guard let number, number <= Self.format else {
      throw .newer(folder: path, format: printable(text))
    }
  }
}
