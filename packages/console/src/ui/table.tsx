/**
 * A table with headers that folds into one card a row on a telephone. The first column names the
 * row.
 */
import type { ReactElement, ReactNode } from 'react';

export interface Column<T> {
  readonly name: string;
  readonly show: (row: T) => ReactNode;
  /** Numbers stand at the right. */
  readonly isNumber?: boolean;
  /** Holds buttons: its header is for screen readers alone. */
  readonly isActs?: boolean;
}

export interface TableProps<T> {
  readonly label: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly keyOf: (row: T) => string;
}

/** Draws the rows that it is given. */
export function Table<T>({ label, columns, rows, keyOf }: TableProps<T>): ReactElement {
  return (
    <div className="scroll">
      <table className="folds">
        <caption className="unseen">{label}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.name}
                scope="col"
                className={column.isNumber === true ? 'number' : ''}
              >
                {column.isActs === true ? (
                  <span className="unseen">{column.name}</span>
                ) : (
                  column.name
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map((column, index) => (
                <TableCell key={column.name} column={column} row={row} isFirst={index === 0} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TableCell<T>(props: {
  readonly column: Column<T>;
  readonly row: T;
  readonly isFirst: boolean;
}): ReactElement {
  const { column, row } = props;
  if (props.isFirst) return <th scope="row">{column.show(row)}</th>;
  if (column.isActs === true) return <td className="acts">{column.show(row)}</td>;
  return (
    <td className={column.isNumber === true ? 'number' : undefined} data-label={column.name}>
      {column.show(row)}
    </td>
  );
}
