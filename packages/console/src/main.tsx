/** Begins the console: theme, readings, addresses, gates, pages. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import { isRefusal } from './api/errors.ts';
import { Pages } from './pages.tsx';
import { SessionGate } from './session.tsx';
import { AnnouncerRegion } from './ui/announce.tsx';
import { applyTheme } from './ui/theme.ts';

applyTheme();

/** A refusal is an answer: only silence is asked again. */
const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 2 && !isRefusal(error),
      staleTime: 1_000,
    },
  },
});

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element "root"');
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BrowserRouter useTransitions={false}>
        <AnnouncerRegion>
          <SessionGate>
            <Pages />
          </SessionGate>
        </AnnouncerRegion>
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
);
