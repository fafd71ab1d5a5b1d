/**
 * A Blossom server (BUD-00, 01, 02, 06, 08, 09, 11, 12) on the listener {@code files}: bytes go to the slot {@code blobs}, who
 * owns them to sealed records. It knows no cookies and fetches nothing from anywhere: {@code /mirror} and {@code /media} do
 * not exist here.
 */
@org.jspecify.annotations.NullMarked
package im.parley.files.http.internal;
